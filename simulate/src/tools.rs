//! The tools that agents call, and which skill uses which.

/// A tool of one of the company's tool servers.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The server that has it.
    pub(crate) server: &'static str,
    /// The median response, in bytes.
    pub(crate) bytes: u32,
    /// The median latency, in milliseconds.
    pub(crate) ms: u32,
}

const fn tool(name: &'static str, bytes: u32, ms: u32) -> Tool {
    Tool { name, server: SHOP, bytes, ms }
}

impl Tool {
    const fn at(mut self, server: &'static str) -> Self {
        self.server = server;
        self
    }
}

/// The server of most tools.
pub(crate) const SHOP: &str = "shop-tools";
/// The server of messages.
pub(crate) const MAIL: &str = "mail-tools";
/// The server of tables and files.
const DATA: &str = "data-tools";

pub(crate) static SEARCH_DOCS: Tool = tool("search_docs", 9_500, 210);
pub(crate) static GET_CUSTOMER: Tool = tool("get_customer", 1_900, 60);
pub(crate) static LIST_ORDERS: Tool = tool("list_orders", 7_200, 95);
pub(crate) static GET_ORDER: Tool = tool("get_order", 2_600, 55);
pub(crate) static TRACK_PARCEL: Tool = tool("track_parcel", 1_200, 340);
pub(crate) static CREATE_TICKET: Tool = tool("create_ticket", 820, 120);
pub(crate) static UPDATE_TICKET: Tool = tool("update_ticket", 760, 90);
pub(crate) static SEND_EMAIL: Tool = tool("send_email", 540, 260).at(MAIL);
pub(crate) static SUMMARIZE: Tool = tool("summarize_thread", 3_400, 1_900);
pub(crate) static TRANSLATE: Tool = tool("translate_text", 2_800, 800);
pub(crate) static RUN_QUERY: Tool = tool("run_query", 26_000, 620).at(DATA);
pub(crate) static DESCRIBE_TABLE: Tool = tool("describe_table", 4_100, 70).at(DATA);
pub(crate) static GET_INVOICE: Tool = tool("get_invoice", 3_000, 65);
pub(crate) static MATCH_PAYMENT: Tool = tool("match_payment", 1_500, 180);
pub(crate) static CHECK_STOCK: Tool = tool("check_stock", 900, 45);
pub(crate) static PLAN_ROUTE: Tool = tool("plan_route", 5_200, 1_400);
pub(crate) static CREATE_QUOTE: Tool = tool("draft_quote", 2_100, 150);
pub(crate) static FETCH_PAGE: Tool = tool("fetch_page", 48_000, 900);
pub(crate) static READ_FILE: Tool = tool("read_file", 15_000, 40).at(DATA);
pub(crate) static WRITE_FILE: Tool = tool("write_file", 480, 50).at(DATA);
pub(crate) static POST_MESSAGE: Tool = tool("post_message", 520, 170).at(MAIL);

/// The tools of customer care.
pub(crate) static CARE: [&Tool; 8] = [
    &GET_CUSTOMER,
    &LIST_ORDERS,
    &GET_ORDER,
    &TRACK_PARCEL,
    &SUMMARIZE,
    &UPDATE_TICKET,
    &SEND_EMAIL,
    &CREATE_TICKET,
];
/// The tools of accounting.
pub(crate) static FINANCE: [&Tool; 6] =
    [&GET_INVOICE, &MATCH_PAYMENT, &RUN_QUERY, &DESCRIBE_TABLE, &SEND_EMAIL, &POST_MESSAGE];
/// The tools of logistics.
pub(crate) static LOGISTICS: [&Tool; 6] =
    [&CHECK_STOCK, &GET_ORDER, &PLAN_ROUTE, &TRACK_PARCEL, &POST_MESSAGE, &UPDATE_TICKET];
/// The tools of sales.
pub(crate) static SALES: [&Tool; 6] =
    [&GET_CUSTOMER, &SEARCH_DOCS, &CHECK_STOCK, &CREATE_QUOTE, &SEND_EMAIL, &TRANSLATE];
/// The tools of market research.
pub(crate) static RESEARCH: [&Tool; 7] =
    [&SEARCH_DOCS, &FETCH_PAGE, &READ_FILE, &SUMMARIZE, &WRITE_FILE, &RUN_QUERY, &POST_MESSAGE];

/// Tools that nobody of the company has: an attacker's, or a new server's.
pub(crate) static SEND_EMAIL_V2: Tool = tool("send_mail_message", 540, 260).at(MAIL);
pub(crate) static FOREIGN_EMAIL: Tool = tool("send_email", 540, 260).at("helpful-tools");
pub(crate) static TRANSFER: Tool = tool("transfer_funds", 700, 300).at("pay-tools");
