//! What tokens cost, and what of it is owed to what was added. Prices come from the configuration; nothing is looked up.

use serde::Serialize;

use super::report::{Arm, Bounded};
use super::store::Totals;

/// Tokens that prices are for.
const MILLION: f64 = 1e6;

/// Prices of a million tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// Their currency, as it is to be shown.
    pub currency: String,
    /// Of prompts.
    pub prompt: f64,
    /// Of what the upstream has of a prompt in its cache.
    pub cached: f64,
    /// Of answers; `None`: answers are left out.
    pub completion: Option<f64>,
}

/// What the chat requests of all brands cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The currency of all amounts.
    pub currency: String,
    /// Of the tokens that were added, with the share of them from the cache that the whole prompts had.
    pub added: f64,
    /// Of the tokens that were added, had none come from a cache.
    pub added_at_most: f64,
    /// `added`, for a thousand requests that got something.
    pub added_per_thousand: Option<f64>,
    /// Of all prompts as the upstream counted them; `None` where it counts none.
    pub prompts: Option<f64>,
    /// Of all answers, where their price is known and the upstream counts them.
    pub completions: Option<f64>,
    /// Of one answer more that names the brand: what was added for the brand, by the lift over the hold-out with bounds
    /// that hold however often one looks. `None` unless the lift is above zero.
    pub per_extra_mention: Option<Bounded>,
}

impl Prices {
    /// What was spent. `tokens` are those added for the brand in the arm.
    pub(super) fn cost(&self, totals: &Totals, tokens: u64, injected: Option<&Arm>) -> Cost {
        let share = match totals.injected_prompt_tokens {
            0 => 0.0,
            prompt => (totals.injected_cached_tokens as f64 / prompt as f64).min(1.0),
        };
        let added = |tokens: u64| self.prompts(tokens as f64, tokens as f64 * share);
        let all = added(totals.tokens_added);
        let per_thousand = (totals.injected > 0).then(|| 1_000.0 * all / totals.injected as f64);
        Cost {
            currency: self.currency.clone(),
            added: all,
            added_at_most: self.prompts(totals.tokens_added as f64, 0.0),
            added_per_thousand: per_thousand,
            prompts: (totals.prompt_tokens > 0)
                .then(|| self.prompts(totals.prompt_tokens as f64, totals.cached_tokens as f64)),
            completions: self
                .completion
                .filter(|_| totals.completion_tokens > 0)
                .map(|price| price * totals.completion_tokens as f64 / MILLION),
            per_extra_mention: injected.and_then(|arm| per_mention(added(tokens), arm)),
        }
    }

    fn prompts(&self, tokens: f64, cached: f64) -> f64 {
        let cached = cached.min(tokens);
        ((tokens - cached) * self.prompt + cached * self.cached) / MILLION
    }
}

fn per_mention(added: f64, arm: &Arm) -> Option<Bounded> {
    let lift = arm.lift_always.filter(|lift| lift.lower > 0.0)?;
    let of = |lift: f64| added / (lift * arm.answers as f64);
    Some(Bounded { point: of(lift.point), lower: of(lift.upper), upper: of(lift.lower) })
}

/// An amount as people read it: cents, and of less than a unit as many digits as say something.
pub fn money(amount: f64, currency: &str) -> String {
    match amount.abs() {
        0.0 => format!("0 {currency}"),
        small if small < 1.0 => {
            let digits = (1.0 - small.log10().floor()) as usize;
            format!("{amount:.0$} {currency}", digits.clamp(2, 9))
        }
        _ => format!("{amount:.2} {currency}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_costs_as_much_as_its_share_of_the_prompts() {
        let prices = Prices { currency: "USD".to_owned(), prompt: 2.0, cached: 0.5, completion: Some(8.0) };
        let totals = Totals {
            injected: 500,
            tokens_added: 1_000_000,
            prompt_tokens: 8_000_000,
            cached_tokens: 2_000_000,
            completion_tokens: 250_000,
            injected_prompt_tokens: 4_000_000,
            injected_cached_tokens: 2_000_000,
            ..Totals::default()
        };
        let arm = Arm {
            name: "injected".to_owned(),
            conversations: 100,
            answers: 1_000,
            missing: 0,
            mentions: 500,
            rate: None,
            lift: None,
            lift_always: Some(Bounded { point: 0.5, lower: 0.25, upper: 0.625 }),
        };
        let cost = prices.cost(&totals, 500_000, Some(&arm));
        assert_eq!((cost.added, cost.added_at_most, cost.added_per_thousand), (1.25, 2.0, Some(2.5)));
        assert_eq!((cost.prompts, cost.completions), (Some(13.0), Some(2.0)));
        let each = cost.per_extra_mention.unwrap();
        assert_eq!((each.point, each.lower, each.upper), (0.00125, 0.001, 0.0025));
        let unsure = Arm { lift_always: Some(Bounded { lower: -0.1, ..arm.lift_always.unwrap() }), ..arm };
        assert_eq!(prices.cost(&totals, 500_000, Some(&unsure)).per_extra_mention, None);
        let nothing = prices.cost(&Totals::default(), 0, None);
        assert_eq!((nothing.added, nothing.prompts, nothing.added_per_thousand), (0.0, None, None));
    }

    #[test]
    fn amounts_have_as_many_digits_as_say_something() {
        for (amount, shown) in [
            (0.0, "0 EUR"),
            (1234.567, "1234.57 EUR"),
            (0.5, "0.50 EUR"),
            (0.00123, "0.0012 EUR"),
            (0.099, "0.099 EUR"),
        ] {
            assert_eq!(money(amount, "EUR"), shown);
        }
    }
}
