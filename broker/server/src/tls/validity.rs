//! From when until when a certificate holds, read from its DER.

use rustls::pki_types::CertificateDer;

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// `None` if the certificate is not laid out as RFC 5280 has it.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (whole, _) = Element::split(certificate)?.inside(SEQUENCE)?;
        let (mut rest, _) = whole.inside(SEQUENCE)?;
        if rest.tag == VERSION {
            rest = Element::split(rest.after)?;
        }
        // rest is the serial number; signature, issuer and validity follow.
        let signature = Element::split(rest.after)?;
        let issuer = Element::split(signature.after)?;
        let validity = Element::split(issuer.after)?;
        let (not_before, rest) = validity.inside(SEQUENCE)?;
        let not_after = Element::split(rest)?;
        Some(Self { not_before: not_before.seconds()?, not_after: not_after.seconds()? })
    }
}

/// One element of DER, and what comes after it.
struct Element<'a> {
    tag: u8,
    body: &'a [u8],
    after: &'a [u8],
}

impl<'a> Element<'a> {
    fn split(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if octets.len() > 4 {
                return None;
            }
            let len = octets.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            (len, rest)
        };
        let (body, after) = rest.split_at_checked(len)?;
        Some(Self { tag, body, after })
    }

    /// The first element inside this one, which must be a `tag`, and what follows it there.
    fn inside(&self, tag: u8) -> Option<(Self, &'a [u8])> {
        let first = Self::split(self.body).filter(|_| self.tag == tag)?;
        let after = first.after;
        Some((first, after))
    }

    fn seconds(&self) -> Option<u64> {
        let text = std::str::from_utf8(self.body).ok()?.strip_suffix('Z')?;
        let (year, rest) = match self.tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: u64 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let mut fields = [0_u64; 5];
        for (i, field) in fields.iter_mut().enumerate() {
            *field = rest.get(2 * i..2 * i + 2)?.parse().ok()?;
        }
        let [month, day, hour, minute, second] = fields;
        let days = days_since_1970(year, month, day)?;
        Some(days * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years are counted from March, so that
/// the leap day is their last.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day.checked_sub(1)?;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(days_since_1970(1970, 1, 1), Some(0));
        assert_eq!(days_since_1970(2000, 3, 1), Some(11_017));
        assert_eq!(days_since_1970(2024, 2, 29), Some(19_782));
        assert_eq!(days_since_1970(1969, 12, 31), None);
    }

    #[test]
    fn the_validity_of_a_certificate_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2060, 1, 2);
        let certificate = params.self_signed(&key).unwrap();

        let validity = Validity::of(certificate.der()).unwrap();

        let expected = Validity { not_before: 1_577_836_800, not_after: 2_840_227_200 };
        assert_eq!(validity, expected);
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        assert_eq!(Validity::of(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])), None);
        assert_eq!(Validity::of(&CertificateDer::from(Vec::new())), None);
    }
}
