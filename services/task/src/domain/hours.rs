//! Working hours with two decimals, exact.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The most hours, which is also what the column holds: 999 999.99.
const MAX: Decimal = Decimal::from_parts(99_999_999, 0, 0, false, 2);

const TOO_FINE: &str = "must have at most two decimals";

/// A number of working hours: 0 to 999 999.99, always with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hours(Decimal);

impl Hours {
    /// Reads what the wire carries. A number counts as what its shortest decimal form says, so 0.1 is a tenth, and
    /// 0.1 + 0.2 is refused for its many decimals.
    pub(crate) fn parse(hours: f64) -> Result<Self, &'static str> {
        if !hours.is_finite() {
            return Err("must be a number");
        }
        if hours < 0.0 {
            return Err("must not be negative");
        }
        if hours >= 1_000_000.0 {
            return Err("must be at most 999999.99");
        }
        // Adding zero turns a negative zero into zero. The text of a finite number has no exponent; it is looked at
        // itself, because a decimal has fewer places than a float and would round what is tiny to zero.
        let text = (hours + 0.0).to_string();
        if text.split_once('.').is_some_and(|(_, decimals)| decimals.len() > 2) {
            return Err(TOO_FINE);
        }
        let mut exact: Decimal = text.parse().map_err(|_| TOO_FINE)?;
        exact.rescale(2);
        Ok(Self(exact))
    }

    /// Wraps a number that was parsed when it was stored; what can only come from a damaged row is `None`.
    pub(crate) fn stored(mut hours: Decimal) -> Option<Self> {
        if hours.is_sign_negative() && !hours.is_zero() || hours > MAX || hours.normalize().scale() > 2 {
            return None;
        }
        hours.rescale(2);
        Some(Self(hours))
    }

    /// Returns the exact number.
    pub(crate) const fn as_decimal(self) -> Decimal {
        self.0
    }

    /// Returns the number nearest to it that the wire can carry.
    pub(crate) fn as_f64(self) -> f64 {
        // Parsing the decimal text rounds once, to the nearest; the text of a decimal is always a number.
        self.0.to_string().parse().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_decimals_are_kept_exactly() {
        for (given, exact) in [(0.0, "0.00"), (-0.0, "0.00"), (0.1, "0.10"), (12.5, "12.50"), (999_999.99, "999999.99")]
        {
            assert_eq!(Hours::parse(given).unwrap().as_decimal().to_string(), exact, "{given}");
        }
        assert_eq!(Hours::parse(999_999.99).unwrap().as_decimal(), MAX);
    }

    #[test]
    fn what_is_no_such_number_is_refused() {
        let bad = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -0.01,
            -1.0,
            1_000_000.0,
            999_999.999,
            f64::MAX,
            0.125,
            0.1 + 0.2,
            1e-7,
            f64::MIN_POSITIVE,
        ];
        for hours in bad {
            assert!(Hours::parse(hours).is_err(), "{hours}");
        }
    }

    #[test]
    fn a_damaged_row_is_noticed() {
        for bad in ["-0.01", "1000000", "0.001"] {
            assert_eq!(Hours::stored(bad.parse().unwrap()), None, "{bad}");
        }
        assert_eq!(Hours::stored("12.5".parse().unwrap()), Hours::parse(12.5).ok());
    }

    proptest! {
        #[test]
        fn every_hundredth_survives_the_wire(hundredths in 0_u32..=99_999_999) {
            let hours = Hours::stored(Decimal::new(i64::from(hundredths), 2)).unwrap();
            prop_assert_eq!(Hours::parse(hours.as_f64()), Ok(hours));
        }
    }
}
