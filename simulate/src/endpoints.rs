//! The catalogue: the API of a shop with its customers, orders, invoices and administration.

use crate::record::Route;

/// The host of the API.
pub(crate) const HOST: &str = "api.shop.example";

/// One operation of the API.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// The path with parameters in braces ([`crate::objects::Focus::fill`]).
    pub(crate) path: &'static str,
    /// The query with parameters in braces; empty for none.
    pub(crate) query: &'static str,
    pub(crate) route: &'static Route,
    /// The median response, in bytes with headers.
    pub(crate) bytes: u32,
    /// The median latency, in milliseconds.
    pub(crate) ms: u32,
    /// Whether it exists only since the deployment of the scenario's last day.
    pub(crate) deployed: bool,
}

impl Endpoint {
    /// Whether it changes something.
    pub(crate) fn is_write(&self) -> bool {
        self.method != "GET"
    }

    const fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    const fn deployed(mut self) -> Self {
        self.deployed = true;
        self
    }
}

const fn operation(
    method: &'static str,
    path: &'static str,
    route: &'static Route,
    (bytes, ms): (u32, u32),
) -> Endpoint {
    Endpoint { method, path, query: "", route, bytes, ms, deployed: false }
}

const fn get(path: &'static str, route: &'static Route, bytes: u32, ms: u32) -> Endpoint {
    operation("GET", path, route, (bytes, ms))
}

const fn post(path: &'static str, route: &'static Route, bytes: u32, ms: u32) -> Endpoint {
    operation("POST", path, route, (bytes, ms))
}

const fn put(path: &'static str, route: &'static Route) -> Endpoint {
    operation("PUT", path, route, (620, 48))
}

const fn patch(path: &'static str, route: &'static Route) -> Endpoint {
    operation("PATCH", path, route, (700, 44))
}

const fn delete(path: &'static str, route: &'static Route) -> Endpoint {
    operation("DELETE", path, route, (310, 36))
}

const fn route(name: &'static str, path: &'static str, service: &'static str) -> Route {
    Route { name, path, service }
}

static R_SITE: Route = route("site", "/", "web");
static R_SESSION: Route = route("session", "/v1/token", "accounts");
static R_ME: Route = route("me", "/v1/me", "accounts");
static R_USERS: Route = route("users", "/v1/users", "accounts");
static R_ADMIN: Route = route("admin", "/admin", "accounts");
static R_CUSTOMERS: Route = route("customers", "/v1/customers", "crm");
static R_TICKETS: Route = route("tickets", "/v1/tickets", "crm");
static R_ORDERS: Route = route("orders", "/v1/orders", "orders");
static R_RETURNS: Route = route("returns", "/v1/returns", "orders");
static R_PRODUCTS: Route = route("products", "/v1/products", "catalogue");
static R_PRICES: Route = route("prices", "/v1/prices", "catalogue");
static R_SEARCH: Route = route("search", "/v1/search", "search");
static R_STOCK: Route = route("stock", "/v1/stock", "warehouse");
static R_SHIPMENTS: Route = route("shipments", "/v1/shipments", "warehouse");
static R_INVOICES: Route = route("invoices", "/v1/invoices", "billing");
static R_PAYMENTS: Route = route("payments", "/v1/payments", "billing");
static R_EXPORT: Route = route("export", "/v1/export", "billing");
static R_REPORTS: Route = route("reports", "/v1/reports", "reporting");
static R_QUOTES: Route = route("quotes", "/v2/quotes", "sales");
static R_CHECKOUT: Route = route("checkouts", "/v1/checkouts", "checkout");
static R_STAFF: Route = route("employees", "/v1/employees", "staff");
static R_FILES: Route = route("files", "/v1/files", "files");
static R_VAULT: Route = route("vault", "/v1/vault", "vault");
static R_MCP: Route = route("mcp", "/mcp", "mcp-tools");

/// Pages of a list.
const PAGE: &str = "page={page}&limit=50";

// Open to everybody.
pub(crate) static HEALTH: Endpoint = get("/health", &R_SITE, 210, 2);
pub(crate) static LOGIN: Endpoint = get("/login", &R_SITE, 5_400, 9);
pub(crate) static HOME: Endpoint = get("/", &R_SITE, 9_200, 11);
pub(crate) static ROBOTS: Endpoint = get("/robots.txt", &R_SITE, 320, 2);
pub(crate) static DOCS: Endpoint = get("/docs", &R_SITE, 38_000, 14);
pub(crate) static TOKEN: Endpoint = post("/v1/token", &R_SESSION, 1_350, 62);

// Accounts.
pub(crate) static ME: Endpoint = get("/v1/me", &R_ME, 780, 9);
pub(crate) static NOTICES: Endpoint = get("/v1/me/notifications", &R_ME, 1_900, 14);
pub(crate) static SETTINGS: Endpoint = patch("/v1/me/settings", &R_ME);
pub(crate) static USERS: Endpoint = get("/v1/users", &R_USERS, 14_000, 41).query(PAGE);
pub(crate) static USER: Endpoint = get("/v1/users/{user}", &R_USERS, 980, 15);
pub(crate) static USER_PUT: Endpoint = put("/v1/users/{user}", &R_USERS);
pub(crate) static USER_NEW: Endpoint = post("/v1/users", &R_USERS, 900, 55);
pub(crate) static ROLES: Endpoint = get("/admin/users/{user}/roles", &R_ADMIN, 640, 17);
pub(crate) static ROLES_NEW: Endpoint = post("/admin/users/{user}/roles", &R_ADMIN, 420, 39);
pub(crate) static ROLES_END: Endpoint = delete("/admin/users/{user}/roles/auditor", &R_ADMIN);
pub(crate) static AUDIT: Endpoint = get("/admin/audit", &R_ADMIN, 46_000, 120).query(PAGE);
pub(crate) static KEYS: Endpoint = get("/admin/keys", &R_ADMIN, 8_300, 33);
pub(crate) static KEY_NEW: Endpoint = post("/admin/keys", &R_ADMIN, 560, 58);
pub(crate) static KEY_END: Endpoint = delete("/admin/keys/{user}", &R_ADMIN);
pub(crate) static FLAGS: Endpoint = get("/admin/flags", &R_ADMIN, 2_600, 12);
pub(crate) static FLAGS_PUT: Endpoint = put("/admin/flags", &R_ADMIN);

// Customers and their tickets.
pub(crate) static CUSTOMERS: Endpoint = get("/v1/customers", &R_CUSTOMERS, 21_000, 58).query(PAGE);
pub(crate) static CUSTOMER: Endpoint = get("/v1/customers/{customer}", &R_CUSTOMERS, 1_450, 18);
pub(crate) static CUSTOMER_PATCH: Endpoint = patch("/v1/customers/{customer}", &R_CUSTOMERS);
pub(crate) static CUSTOMER_NEW: Endpoint = post("/v1/customers", &R_CUSTOMERS, 1_300, 66);
pub(crate) static CUSTOMER_END: Endpoint = delete("/v1/customers/{customer}", &R_CUSTOMERS);
pub(crate) static CUSTOMER_ORDERS: Endpoint =
    get("/v1/customers/{customer}/orders", &R_CUSTOMERS, 6_800, 37);
pub(crate) static NOTES: Endpoint = get("/v1/customers/{customer}/notes", &R_CUSTOMERS, 3_100, 22);
pub(crate) static NOTE_NEW: Endpoint =
    post("/v1/customers/{customer}/notes", &R_CUSTOMERS, 640, 40);
pub(crate) static TICKETS: Endpoint =
    get("/v1/tickets", &R_TICKETS, 17_000, 49).query("state=open&page={page}");
pub(crate) static TICKET: Endpoint = get("/v1/tickets/{ticket}", &R_TICKETS, 2_700, 21);
pub(crate) static TICKET_NEW: Endpoint = post("/v1/tickets", &R_TICKETS, 820, 47);
pub(crate) static TICKET_PATCH: Endpoint = patch("/v1/tickets/{ticket}", &R_TICKETS);

// Orders and returns.
pub(crate) static ORDERS: Endpoint = get("/v1/orders", &R_ORDERS, 24_000, 64).query(PAGE);
pub(crate) static ORDER: Endpoint = get("/v1/orders/{order}", &R_ORDERS, 2_200, 20);
pub(crate) static ORDER_ITEMS: Endpoint = get("/v1/orders/{order}/items", &R_ORDERS, 4_400, 25);
pub(crate) static ORDER_NEW: Endpoint = post("/v1/orders", &R_ORDERS, 1_800, 95);
pub(crate) static ORDER_PATCH: Endpoint = patch("/v1/orders/{order}", &R_ORDERS);
pub(crate) static ORDER_END: Endpoint = delete("/v1/orders/{order}", &R_ORDERS);
pub(crate) static RETURNS: Endpoint = get("/v1/returns", &R_RETURNS, 9_700, 42).query(PAGE);
pub(crate) static RETURN: Endpoint = get("/v1/returns/{order}", &R_RETURNS, 1_700, 19);
pub(crate) static RETURN_NEW: Endpoint = post("/v1/returns", &R_RETURNS, 940, 71);

// Products, prices, search.
pub(crate) static PRODUCTS: Endpoint = get("/v1/products", &R_PRODUCTS, 31_000, 35).query(PAGE);
pub(crate) static PRODUCT: Endpoint = get("/v1/products/{product}", &R_PRODUCTS, 3_600, 12);
pub(crate) static PRODUCT_PUT: Endpoint = put("/v1/products/{product}", &R_PRODUCTS);
pub(crate) static PRODUCT_END: Endpoint = delete("/v1/products/{product}", &R_PRODUCTS);
pub(crate) static PRICES: Endpoint = get("/v1/prices/{product}", &R_PRICES, 760, 8);
pub(crate) static PRICE_PUT: Endpoint = put("/v1/prices/{product}", &R_PRICES);
pub(crate) static SEARCH: Endpoint =
    get("/v1/search", &R_SEARCH, 12_500, 73).query("q={word}&page={page}");

// The warehouse.
pub(crate) static STOCK: Endpoint = get("/v1/stock/{product}", &R_STOCK, 540, 7);
pub(crate) static STOCK_PUT: Endpoint = put("/v1/stock/{product}", &R_STOCK);
pub(crate) static STOCK_LOW: Endpoint = get("/v1/stock/low", &R_STOCK, 7_900, 52);
pub(crate) static SHIPMENTS: Endpoint = get("/v1/shipments", &R_SHIPMENTS, 15_500, 45).query(PAGE);
pub(crate) static SHIPMENT: Endpoint = get("/v1/shipments/{order}", &R_SHIPMENTS, 1_900, 16);
pub(crate) static SHIPMENT_NEW: Endpoint = post("/v1/shipments", &R_SHIPMENTS, 1_100, 83);
pub(crate) static SHIPMENT_PATCH: Endpoint = patch("/v1/shipments/{order}", &R_SHIPMENTS);
pub(crate) static LABEL: Endpoint = get("/v1/shipments/{order}/label", &R_SHIPMENTS, 61_000, 88);

// Money.
pub(crate) static INVOICES: Endpoint = get("/v1/invoices", &R_INVOICES, 19_500, 57).query(PAGE);
pub(crate) static INVOICE: Endpoint = get("/v1/invoices/{invoice}", &R_INVOICES, 2_900, 23);
pub(crate) static INVOICE_PDF: Endpoint =
    get("/v1/invoices/{invoice}/pdf", &R_INVOICES, 92_000, 130);
pub(crate) static INVOICE_NEW: Endpoint = post("/v1/invoices", &R_INVOICES, 1_600, 92);
pub(crate) static PAYMENTS: Endpoint = get("/v1/payments", &R_PAYMENTS, 16_000, 51).query(PAGE);
pub(crate) static PAYMENT: Endpoint = get("/v1/payments/{order}", &R_PAYMENTS, 1_250, 18);
pub(crate) static PAYMENT_NEW: Endpoint = post("/v1/payments", &R_PAYMENTS, 880, 140);
pub(crate) static REFUND_NEW: Endpoint =
    post("/v1/payments/{order}/refunds", &R_PAYMENTS, 760, 150);
pub(crate) static EXPORT: Endpoint =
    get("/v1/export", &R_EXPORT, 1_200_000, 900).query("since={date}&page={page}");

// Reports.
pub(crate) static REPORTS: Endpoint = get("/v1/reports", &R_REPORTS, 5_200, 31);
pub(crate) static REPORT: Endpoint = get("/v1/reports/{date}", &R_REPORTS, 84_000, 310);
pub(crate) static REPORT_SALES: Endpoint = get("/v1/reports/{date}/sales", &R_REPORTS, 47_000, 240);
pub(crate) static REPORT_STOCK: Endpoint = get("/v1/reports/{date}/stock", &R_REPORTS, 39_000, 220);
pub(crate) static REPORT_NEW: Endpoint = post("/v1/reports", &R_REPORTS, 900, 410);

// New with the deployment.
pub(crate) static QUOTES: Endpoint =
    get("/v2/quotes", &R_QUOTES, 13_000, 44).query(PAGE).deployed();
pub(crate) static QUOTE: Endpoint = get("/v2/quotes/{order}", &R_QUOTES, 2_400, 21).deployed();
pub(crate) static QUOTE_NEW: Endpoint = post("/v2/quotes", &R_QUOTES, 1_500, 78).deployed();

// What only a whole company has: checkouts, staff, secrets, ways out.
pub(crate) static CART_NEW: Endpoint = post("/v1/checkouts", &R_CHECKOUT, 900, 45);
pub(crate) static CART_PRICE: Endpoint = get("/v1/checkouts/{order}/price", &R_CHECKOUT, 1_200, 30);
pub(crate) static CART_CONFIRM: Endpoint =
    post("/v1/checkouts/{order}/confirm", &R_CHECKOUT, 1_500, 120);
pub(crate) static EMPLOYEES: Endpoint = get("/v1/employees", &R_STAFF, 18_000, 50).query(PAGE);
pub(crate) static EMPLOYEE: Endpoint = get("/v1/employees/{user}", &R_STAFF, 2_600, 22);
pub(crate) static EMPLOYEE_PATCH: Endpoint = patch("/v1/employees/{user}", &R_STAFF);
pub(crate) static PAYROLL: Endpoint = get("/v1/employees/{user}/payroll", &R_STAFF, 4_800, 64);
pub(crate) static UPLOAD: Endpoint = post("/v1/files/uploads", &R_FILES, 640, 180);
pub(crate) static WEBHOOK: Endpoint = post("/v1/webhooks/{user}/deliveries", &R_FILES, 420, 210);
pub(crate) static DOCUMENTS: Endpoint = get("/v1/documents", &R_FILES, 2_400, 18);
pub(crate) static DOCUMENT: Endpoint = get("/v1/documents/{document}", &R_FILES, 14_000, 35);
pub(crate) static SECRET: Endpoint = get("/v1/vault/secrets/{secret}", &R_VAULT, 900, 12);

// Answered, though nobody should ask: left over, forgotten, or put there.
pub(crate) static OLD_USERS: Endpoint = get("/v0/users/{user}", &R_USERS, 4_100, 30);
pub(crate) static OLD_KEYS: Endpoint = get("/v0/admin/keys", &R_ADMIN, 8_900, 40);
pub(crate) static DEBUG_DUMP: Endpoint = get("/debug/dump", &R_SITE, 240_000, 300);
pub(crate) static METRICS: Endpoint = get("/internal/metrics", &R_SITE, 22_000, 15);

// What a release brings.
pub(crate) static RELEASE: [Endpoint; 12] = [
    get("/v3/welcome", &R_QUOTES, 900, 12).deployed(),
    get("/v3/banners", &R_QUOTES, 1250, 13).deployed(),
    get("/v3/wishes", &R_QUOTES, 1600, 14).deployed(),
    get("/v3/badges", &R_QUOTES, 1950, 15).deployed(),
    get("/v3/hints", &R_QUOTES, 2300, 16).deployed(),
    get("/v3/ratings", &R_QUOTES, 2650, 17).deployed(),
    get("/v3/gifts", &R_QUOTES, 3000, 18).deployed(),
    get("/v3/stores", &R_QUOTES, 3350, 19).deployed(),
    get("/v3/slots", &R_QUOTES, 3700, 20).deployed(),
    get("/v3/points", &R_QUOTES, 4050, 21).deployed(),
    get("/v3/themes", &R_QUOTES, 4400, 22).deployed(),
    get("/v3/journeys", &R_QUOTES, 4750, 23).deployed(),
];

// What scanners of the Internet ask for, and nobody has.
pub(crate) static SCANNED: [Endpoint; 10] = [
    get("/wp-login.php", &R_SITE, 390, 2),
    get("/.env", &R_SITE, 390, 2),
    get("/phpmyadmin/index.php", &R_SITE, 390, 2),
    get("/.git/config", &R_SITE, 390, 2),
    get("/admin/config.php", &R_SITE, 390, 2),
    get("/boaform/admin/formLogin", &R_SITE, 390, 2),
    get("/actuator/health", &R_SITE, 390, 2),
    get("/cgi-bin/luci", &R_SITE, 390, 2),
    get("/server-status", &R_SITE, 390, 2),
    get("/owa/auth/logon.aspx", &R_SITE, 390, 2),
];

/// What neither a research agent nor a person without a role may do.
pub(crate) static REFUSED: [&Endpoint; 31] = [
    &AUDIT,
    &KEYS,
    &KEY_NEW,
    &KEY_END,
    &FLAGS,
    &FLAGS_PUT,
    &ROLES,
    &ROLES_NEW,
    &ROLES_END,
    &USER_NEW,
    &CUSTOMER_NEW,
    &CUSTOMER_PATCH,
    &CUSTOMER_END,
    &NOTE_NEW,
    &ORDER_NEW,
    &ORDER_PATCH,
    &ORDER_END,
    &RETURN_NEW,
    &PRODUCT_PUT,
    &PRODUCT_END,
    &PRICE_PUT,
    &STOCK_PUT,
    &SHIPMENT_NEW,
    &SHIPMENT_PATCH,
    &INVOICES,
    &INVOICE_NEW,
    &PAYMENTS,
    &PAYMENT_NEW,
    &REFUND_NEW,
    &EXPORT,
    &TICKET_PATCH,
];

/// The one path through which agents call tools.
pub(crate) static MCP: Endpoint = post("/mcp", &R_MCP, 4_000, 180);
