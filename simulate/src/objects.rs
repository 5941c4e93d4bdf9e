//! The things that calls are about: customers with their orders, invoices and tickets.

use crate::digits::{push_date, push_number, text, uuid};
use crate::prng::{Rng, mix_wide};

/// The id of the first customer.
pub(crate) const CUSTOMER_FIRST: u64 = 10_000;
/// How many customers there are; their ids follow one another.
pub(crate) const CUSTOMERS: u64 = 40_000;
/// Orders, invoices and tickets of each customer.
const PER_CUSTOMER: u64 = 6;
/// How many products there are.
const PRODUCTS: u64 = 1_200;
/// How many staff accounts there are.
const USERS: u64 = 400;
/// What tells invoices' ids from those of other things.
const INVOICE_KIND: u64 = 0x1f;

pub(crate) const WORDS: [&str; 16] = [
    "lamp", "desk", "chair", "cable", "frame", "shelf", "clock", "mirror", "carpet", "kettle",
    "bottle", "basket", "pillow", "hammer", "ladder", "bucket",
];

/// What one task is about: the values of path and query parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Focus {
    pub(crate) customer: u64,
    pub(crate) order: u64,
    pub(crate) invoice: u128,
    pub(crate) ticket: u64,
    pub(crate) product: u64,
    pub(crate) user: u64,
    pub(crate) page: u64,
    pub(crate) word: &'static str,
    /// A document of the person who deals with it.
    pub(crate) document: u64,
}

impl Focus {
    /// A task about one customer; the rest is drawn.
    pub(crate) fn on(customer: u64, rng: &mut Rng) -> Self {
        let nth = skewed(PER_CUSTOMER, rng);
        Self {
            customer,
            order: customer * 10 + nth,
            invoice: invoice(customer, nth),
            ticket: 700_000 + customer * 10 + nth,
            product: 100 + skewed(PRODUCTS, rng),
            user: 1_000 + rng.below(USERS),
            page: 1 + skewed(4, rng),
            word: WORDS[rng.below(WORDS.len() as u64) as usize],
            document: 0,
        }
    }

    /// Appends `template` with its parameters replaced; an unknown one is left as it is.
    pub(crate) fn fill(&self, template: &str, time_ns: i64, out: &mut String) {
        let mut rest = template;
        while let Some((literal, tail)) = rest.split_once('{') {
            out.push_str(literal);
            let (name, after) = tail.split_once('}').unwrap_or((tail, ""));
            match name {
                "customer" => push_number(out, self.customer),
                "order" => push_number(out, self.order),
                "invoice" => out.push_str(text(&uuid(self.invoice))),
                "ticket" => push_number(out, self.ticket),
                "document" => push_number(out, self.document),
                "product" => push_number(out, self.product),
                "user" => push_number(out, self.user),
                "page" => push_number(out, self.page),
                "secret" => {
                    out.push_str(self.word);
                    out.push_str(["-db", "-mail", "-pay", "-log"][(self.user % 4) as usize]);
                }
                "word" => out.push_str(self.word),
                "date" => push_date(out, time_ns),
                _ => {
                    out.push('{');
                    out.push_str(name);
                    out.push('}');
                }
            }
            rest = after;
        }
        out.push_str(rest);
    }
}

/// The id of a customer's nth invoice.
pub(crate) const fn invoice(customer: u64, nth: u64) -> u128 {
    mix_wide(INVOICE_KIND, customer * PER_CUSTOMER + nth)
}

/// The customers that somebody deals with.
#[derive(Clone, Debug)]
pub(crate) struct Portfolio {
    customers: Vec<u64>,
    stray: f64,
}

impl Portfolio {
    /// A portfolio of `size` customers; `stray` is the share of tasks about somebody else's.
    pub(crate) fn new(size: u64, stray: f64, rng: &mut Rng) -> Self {
        let customers = (0..size).map(|_| any_customer(rng)).collect();
        Self { customers, stray }
    }

    /// What the next task is about: some customers come up much more often than others.
    pub(crate) fn focus(&self, rng: &mut Rng) -> Focus {
        let index = skewed(self.customers.len() as u64, rng) as usize;
        let known = self.customers.get(index).copied();
        let customer = match known {
            Some(customer) if !rng.chance(self.stray) => customer,
            _ => any_customer(rng),
        };
        Focus::on(customer, rng)
    }
}

/// The id of any customer at all.
pub(crate) fn any_customer(rng: &mut Rng) -> u64 {
    CUSTOMER_FIRST + rng.below(CUSTOMERS)
}

/// A number below `n` that is small more often than large.
fn skewed(n: u64, rng: &mut Rng) -> u64 {
    let once = rng.unit();
    ((once * rng.unit()) * n as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_with_what_the_task_is_about() {
        let focus = Focus { customer: 7, order: 70, ..Focus::on(7, &mut Rng::new(1, 1)) };
        let mut out = String::new();
        focus.fill("/v1/customers/{customer}/orders/{order}/{other}", 0, &mut out);
        assert_eq!(out, "/v1/customers/7/orders/70/{other}");
    }

    #[test]
    fn a_portfolio_is_small_and_strays_seldom() {
        let mut rng = Rng::new(3, 1);
        let portfolio = Portfolio::new(40, 0.02, &mut rng);
        let seen: std::collections::BTreeSet<u64> =
            (0..1_000).map(|_| portfolio.focus(&mut rng).customer).collect();
        assert!((30..80).contains(&seen.len()), "{}", seen.len());
    }
}
