//! What people do all day: roles, and the tasks that make them up.

use crate::endpoints as api;
use crate::endpoints::Endpoint;

/// A few calls that belong together, in their usual order.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) steps: &'static [&'static Endpoint],
    /// How often it comes up beside the role's other tasks.
    pub(crate) weight: f64,
    /// Whether no step of it is ever left out, because the program makes them all.
    pub(crate) firm: bool,
}

const fn task(weight: f64, steps: &'static [&'static Endpoint]) -> Task {
    Task { steps, weight, firm: false }
}

const fn firm(weight: f64, steps: &'static [&'static Endpoint]) -> Task {
    Task { steps, weight, firm: true }
}

/// What somebody is employed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Care,
    Sales,
    Accounts,
    Warehouse,
    Analyst,
    Merchandise,
    Admin,
    /// A customer of the shop, in its app.
    Shopper,
    /// Whoever looks after the staff.
    Staff,
}

impl Role {
    /// Each role with its share of the staff.
    pub(crate) const SHARES: [(Self, f64); 7] = [
        (Self::Care, 0.30),
        (Self::Sales, 0.19),
        (Self::Accounts, 0.14),
        (Self::Warehouse, 0.16),
        (Self::Analyst, 0.08),
        (Self::Merchandise, 0.10),
        (Self::Admin, 0.03),
    ];

    /// The same where everybody is there.
    pub(crate) const SHARES_WHOLE: [(Self, f64); 9] = [
        (Self::Care, 0.24),
        (Self::Sales, 0.15),
        (Self::Accounts, 0.11),
        (Self::Warehouse, 0.13),
        (Self::Analyst, 0.06),
        (Self::Merchandise, 0.08),
        (Self::Shopper, 0.16),
        (Self::Staff, 0.05),
        (Self::Admin, 0.02),
    ];

    /// The role's tasks.
    pub(crate) fn tasks(self) -> &'static [Task] {
        match self {
            Self::Care => &CARE,
            Self::Sales => &SALES,
            Self::Accounts => &ACCOUNTS,
            Self::Warehouse => &WAREHOUSE,
            Self::Analyst => &ANALYST,
            Self::Merchandise => &MERCHANDISE,
            Self::Admin => &ADMIN,
            Self::Shopper => &SHOPPER,
            Self::Staff => &STAFF,
        }
    }

    /// The short name that stands in user names.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Sales => "sales",
            Self::Accounts => "accounts",
            Self::Warehouse => "warehouse",
            Self::Analyst => "analyst",
            Self::Merchandise => "merchandise",
            Self::Admin => "admin",
            Self::Shopper => "shopper",
            Self::Staff => "staff",
        }
    }
}

/// What everybody does now and then.
pub(crate) static COMMON: [Task; 5] = [
    task(1.0, &[&api::NOTICES]),
    task(0.5, &[&api::ME, &api::NOTICES]),
    task(0.8, &[&api::SEARCH, &api::PRODUCT]),
    task(0.1, &[&api::SETTINGS, &api::ME]),
    task(0.2, &[&api::USERS, &api::USER]),
];

static CARE: [Task; 9] = [
    task(5.0, &[&api::TICKETS, &api::TICKET, &api::CUSTOMER, &api::CUSTOMER_ORDERS]),
    task(4.0, &[&api::TICKET, &api::CUSTOMER, &api::ORDER, &api::SHIPMENT, &api::TICKET_PATCH]),
    task(3.0, &[&api::SEARCH, &api::CUSTOMER, &api::NOTES, &api::NOTE_NEW]),
    task(2.0, &[&api::ORDER, &api::ORDER_ITEMS, &api::RETURN_NEW, &api::TICKET_PATCH]),
    task(1.2, &[&api::CUSTOMER, &api::CUSTOMER_PATCH]),
    task(1.0, &[&api::RETURNS, &api::RETURN, &api::ORDER]),
    task(0.8, &[&api::ORDER, &api::PAYMENT, &api::REFUND_NEW]),
    task(0.7, &[&api::TICKET_NEW, &api::TICKET]),
    task(0.4, &[&api::ORDER, &api::ORDER_END]),
];

static SALES: [Task; 9] = [
    task(4.0, &[&api::CUSTOMERS, &api::CUSTOMER, &api::CUSTOMER_ORDERS, &api::NOTES]),
    task(3.0, &[&api::PRODUCTS, &api::PRODUCT, &api::PRICES, &api::STOCK]),
    task(2.5, &[&api::CUSTOMER, &api::ORDER_NEW, &api::ORDER]),
    task(2.0, &[&api::ORDERS, &api::ORDER, &api::ORDER_ITEMS]),
    task(1.0, &[&api::CUSTOMER_NEW, &api::CUSTOMER, &api::NOTE_NEW]),
    task(0.8, &[&api::REPORTS, &api::REPORT_SALES]),
    task(0.6, &[&api::ORDER, &api::ORDER_PATCH]),
    task(2.0, &[&api::QUOTES, &api::QUOTE]),
    task(1.2, &[&api::CUSTOMER, &api::QUOTE_NEW, &api::QUOTE]),
];

static ACCOUNTS: [Task; 8] = [
    task(5.0, &[&api::INVOICES, &api::INVOICE, &api::PAYMENT]),
    task(3.0, &[&api::PAYMENTS, &api::PAYMENT, &api::INVOICE]),
    task(2.0, &[&api::INVOICE, &api::INVOICE_PDF]),
    task(1.5, &[&api::ORDER, &api::INVOICE_NEW, &api::INVOICE]),
    task(1.0, &[&api::INVOICE, &api::CUSTOMER, &api::PAYMENT_NEW]),
    task(0.7, &[&api::PAYMENT, &api::REFUND_NEW]),
    task(0.5, &[&api::REPORTS, &api::REPORT]),
    task(0.05, &[&api::EXPORT]),
];

static WAREHOUSE: [Task; 7] = [
    task(5.0, &[&api::SHIPMENTS, &api::SHIPMENT, &api::ORDER_ITEMS, &api::LABEL]),
    task(4.0, &[&api::ORDER_ITEMS, &api::STOCK, &api::SHIPMENT_NEW, &api::LABEL]),
    task(3.0, &[&api::STOCK, &api::STOCK_PUT]),
    task(2.0, &[&api::SHIPMENT, &api::SHIPMENT_PATCH]),
    task(1.5, &[&api::RETURNS, &api::RETURN, &api::STOCK_PUT]),
    task(1.0, &[&api::STOCK_LOW, &api::STOCK]),
    task(0.4, &[&api::REPORT_STOCK]),
];

static ANALYST: [Task; 6] = [
    task(4.0, &[&api::REPORTS, &api::REPORT, &api::REPORT_SALES]),
    task(3.0, &[&api::REPORT_NEW, &api::REPORT]),
    task(2.0, &[&api::REPORT_STOCK, &api::STOCK_LOW]),
    task(1.5, &[&api::SEARCH, &api::ORDERS]),
    task(1.0, &[&api::PRODUCTS, &api::PRICES]),
    task(0.3, &[&api::EXPORT]),
];

static MERCHANDISE: [Task; 6] = [
    task(4.0, &[&api::PRODUCTS, &api::PRODUCT, &api::PRODUCT_PUT]),
    task(3.0, &[&api::PRODUCT, &api::PRICES, &api::PRICE_PUT]),
    task(2.0, &[&api::STOCK_LOW, &api::STOCK, &api::PRODUCT]),
    task(1.0, &[&api::SEARCH, &api::PRODUCT, &api::PRICES]),
    task(0.6, &[&api::REPORT_SALES]),
    task(0.3, &[&api::PRODUCTS, &api::PRODUCT_END]),
];

static ADMIN: [Task; 7] = [
    task(4.0, &[&api::USERS, &api::USER, &api::ROLES]),
    task(2.0, &[&api::USER, &api::ROLES, &api::ROLES_NEW]),
    task(1.0, &[&api::ROLES, &api::ROLES_END]),
    task(2.0, &[&api::AUDIT]),
    task(1.0, &[&api::USER_NEW, &api::ROLES_NEW, &api::USER_PUT]),
    task(0.8, &[&api::KEYS, &api::KEY_NEW]),
    task(0.8, &[&api::FLAGS, &api::FLAGS_PUT]),
];

/// What everybody does with what is theirs alone, where everybody is there.
pub(crate) static OWN: [Task; 1] = [task(1.5, &[&api::DOCUMENTS, &api::DOCUMENT])];

/// What a release brings to everybody.
pub(crate) static RELEASE: [Task; 4] = [
    task(1.2, &[&api::RELEASE[0], &api::RELEASE[1], &api::RELEASE[2]]),
    task(1.2, &[&api::RELEASE[3], &api::RELEASE[4], &api::RELEASE[5]]),
    task(1.2, &[&api::RELEASE[6], &api::RELEASE[7], &api::RELEASE[8]]),
    task(1.2, &[&api::RELEASE[9], &api::RELEASE[10], &api::RELEASE[11]]),
];

static SHOPPER: [Task; 4] = [
    task(4.0, &[&api::PRODUCTS, &api::PRODUCT, &api::PRICES]),
    task(2.0, &[&api::SEARCH, &api::PRODUCT]),
    firm(3.0, &[&api::CART_NEW, &api::CART_PRICE, &api::CART_CONFIRM]),
    task(1.0, &[&api::ORDER, &api::SHIPMENT]),
];

static STAFF: [Task; 4] = [
    task(4.0, &[&api::EMPLOYEES, &api::EMPLOYEE, &api::EMPLOYEE]),
    task(2.0, &[&api::EMPLOYEE, &api::EMPLOYEE_PATCH]),
    task(1.0, &[&api::EMPLOYEES, &api::PAYROLL]),
    task(0.15, &[&api::EMPLOYEE, &api::UPLOAD]),
];
