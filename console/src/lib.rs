//! The console: pages over a store, drawn by the server.
