use crate::topic_pattern::TopicPattern;

/// What a client wants with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The word before a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Read,
    Write,
    ReadWrite,
    Deny,
}

impl Grant {
    pub(crate) fn allows(self, access: Access) -> bool {
        match self {
            Self::Read => access == Access::Read,
            Self::Write => access == Access::Write,
            Self::ReadWrite => true,
            Self::Deny => false,
        }
    }
}

/// One line of the file, read.
pub(crate) enum AclLine<'a> {
    Nothing,
    User(&'a str),
    Topic(Grant, TopicPattern),
    Pattern(Grant, TopicPattern),
}

impl<'a> AclLine<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// Why it can not be read.
    pub(crate) fn parse(raw: &'a [u8]) -> Result<Self, String> {
        if raw.starts_with(b"#") {
            return Ok(Self::Nothing);
        }
        let line = str::from_utf8(raw).map_err(|_| "it is not UTF-8".to_owned())?;
        let line = line.trim_ascii_end().trim_start_matches(' ');
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        match keyword {
            "" => Ok(Self::Nothing),
            "user" if rest.trim_ascii().is_empty() => Err("`user` without a name".to_owned()),
            "user" => Ok(Self::User(rest.trim_ascii())),
            "topic" => parse_rule(rest, false).map(|(grant, filter)| Self::Topic(grant, filter)),
            "pattern" => parse_rule(rest, true).map(|(grant, filter)| Self::Pattern(grant, filter)),
            _ => Err(format!("`{keyword:.32}` is none of `user`, `topic`, `pattern`")),
        }
    }
}

/// Reads `[read|write|readwrite|deny] <filter>`.
fn parse_rule(rest: &str, names: bool) -> Result<(Grant, TopicPattern), String> {
    let rest = rest.trim_start_matches(' ');
    if rest.is_empty() {
        return Err("the filter is missing".to_owned());
    }
    let (grant, filter) = match rest.split_once(' ') {
        None => (Grant::ReadWrite, rest),
        Some((word, filter)) => (parse_grant(word)?, filter.trim_ascii()),
    };
    Ok((grant, TopicPattern::parse(filter, names)?))
}

fn parse_grant(word: &str) -> Result<Grant, String> {
    match word {
        "read" => Ok(Grant::Read),
        "write" => Ok(Grant::Write),
        "readwrite" => Ok(Grant::ReadWrite),
        "deny" => Ok(Grant::Deny),
        _ => Err(format!(
            "`{word:.32}` is none of `read`, `write`, `readwrite`, `deny`, one of which has to stand \
             before a filter with spaces"
        )),
    }
}
