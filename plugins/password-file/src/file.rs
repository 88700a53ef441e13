//! The text of a password file, for tools that make and change one.
//!
//! ```
//! use pintle_plugin_password_file::file::{Algorithm, PasswordFileText};
//!
//! let mut file = PasswordFileText::parse("# the house\n").unwrap();
//! file.set("alice", b"wonderland", Algorithm::MOSQUITTO_2_0).unwrap();
//! assert!(file.check("alice", b"wonderland"));
//! assert!(file.to_string().starts_with("# the house\nalice:$7$101$"));
//! ```

use std::collections::HashSet;
use std::fmt;

pub use crate::edit_error::EditError;
pub use crate::hash::{Algorithm, SaltLength};

use crate::hash::PasswordHash;

const USER_NAME_BYTES_MAX: usize = 65_535;

/// A password file: its users, and its comments and order as they are.
#[derive(Clone, Debug, Default)]
pub struct PasswordFileText {
    lines: Vec<Line>,
}

/// Why a password file is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong with it.
    pub what: String,
}

#[derive(Clone, Debug)]
struct Line {
    /// As it is in the file, without the line feed.
    raw: Vec<u8>,
    user: Option<User>,
}

#[derive(Clone, Debug)]
struct User {
    name: String,
    hash: PasswordHash,
}

impl PasswordFileText {
    /// Reads a whole file.
    ///
    /// # Errors
    /// The first line that has no user name, has a user name again, or has a hash that can not be
    /// read.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, LineError> {
        let mut names = HashSet::new();
        let mut lines = Vec::new();
        for (number, raw) in numbered_lines(text.as_ref()) {
            let user = parse_line(raw).map_err(|what| LineError { line: number, what })?;
            if let Some(User { name, .. }) = &user
                && !names.insert(name.clone())
            {
                let what = format!("user {} has a line already", Short(name));
                return Err(LineError { line: number, what });
            }
            lines.push(Line { raw: raw.to_vec(), user });
        }
        Ok(Self { lines })
    }

    /// The user names, in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.entries().map(|user| user.name.as_str())
    }

    /// Whether there is such a user.
    pub fn contains(&self, user: &str) -> bool {
        self.users().any(|name| name == user)
    }

    /// Gives a user this password, in place, or at the end if the user is new.
    ///
    /// # Errors
    /// If the user name can not stand in a password file, or the password can not be hashed so.
    pub fn set(
        &mut self,
        user: &str,
        password: &[u8],
        algorithm: Algorithm,
    ) -> Result<(), EditError> {
        check_user_name(user)?;
        let line = Line::of(user, PasswordHash::new(password, algorithm)?);
        match self.lines.iter_mut().find(|line| line.is_of(user)) {
            Some(place) => *place = line,
            None => self.lines.push(line),
        }
        Ok(())
    }

    /// Removes a user; false if there is none.
    pub fn remove(&mut self, user: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !line.is_of(user));
        self.lines.len() < before
    }

    /// Whether this is the password of this user; false if there is no such user.
    pub fn check(&self, user: &str, password: &[u8]) -> bool {
        let entry = self.entries().find(|entry| entry.name == user);
        entry.is_some_and(|entry| entry.hash.verify(password))
    }

    /// The file as it is to be written. [`fmt::Display`] gives the same where comments are UTF-8.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in &self.lines {
            bytes.extend_from_slice(&line.raw);
            bytes.push(b'\n');
        }
        bytes
    }

    pub(crate) fn into_users(self) -> impl Iterator<Item = (String, PasswordHash)> {
        self.lines.into_iter().filter_map(|line| line.user).map(|user| (user.name, user.hash))
    }

    fn entries(&self) -> impl Iterator<Item = &User> {
        self.lines.iter().filter_map(|line| line.user.as_ref())
    }
}

/// Hashes a plain list, one `user:password` a line, as `mosquitto_passwd -U` does.
///
/// Spaces around the user name and the password do not belong to them; other than there, a password
/// may hold `:`. Comments, empty lines and lines that hold a hash already stay as they are.
///
/// # Errors
/// The first line that is not of that form, or a user name that can not stand in a password file
/// or comes again.
pub fn convert_plain(text: &str, algorithm: Algorithm) -> Result<String, LineError> {
    let mut names = HashSet::new();
    let mut converted = String::with_capacity(text.len());
    for (line, raw) in text.lines().enumerate() {
        let (name, line_now) = convert_line(raw, algorithm).map_err(|what| at(line, what))?;
        if let Some(name) = name
            && !names.insert(name)
        {
            return Err(at(line, format!("user {} has a line already", Short(name))));
        }
        converted.push_str(&line_now);
        converted.push('\n');
    }
    Ok(converted)
}

/// The user name of the line, if it has one, and the line with its password hashed.
fn convert_line(raw: &str, algorithm: Algorithm) -> Result<(Option<&str>, String), String> {
    if raw.starts_with('#') || raw.trim_ascii().is_empty() {
        return Ok((None, raw.to_owned()));
    }
    let (name, password) = raw.split_once(':').ok_or("it is not user:password")?;
    let (name, password) = (name.trim_ascii(), password.trim_ascii());
    check_user_name(name).map_err(|error| error.to_string())?;
    if ["$6$", "$7$", "$argon2id$"].iter().any(|tag| password.starts_with(tag)) {
        parse_line(raw.as_bytes())?;
        return Ok((Some(name), raw.to_owned()));
    }
    let hash = PasswordHash::new(password.as_bytes(), algorithm);
    let hash = hash.map_err(|error| error.to_string())?;
    Ok((Some(name), format!("{name}:{hash}")))
}

/// The user of a line, or nothing if it is a comment or has no `:`.
fn parse_line(raw: &[u8]) -> Result<Option<User>, String> {
    if raw.starts_with(b"#") || !raw.contains(&b':') {
        return Ok(None);
    }
    let text = str::from_utf8(raw).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut fields = text.split(':').map(str::trim_ascii);
    let name = fields.next().unwrap_or_default();
    if name.is_empty() {
        return Err("the user name is missing".to_owned());
    }
    if name.len() > USER_NAME_BYTES_MAX {
        return Err(format!("the user name is longer than {USER_NAME_BYTES_MAX} bytes"));
    }
    let hash = PasswordHash::parse(fields.next().unwrap_or_default())
        .map_err(|reason| format!("user {}: {reason}", Short(name)))?;
    Ok(Some(User { name: name.to_owned(), hash }))
}

/// Whether a user name can be written to a file and read back the same.
fn check_user_name(name: &str) -> Result<(), EditError> {
    let reason = if name.is_empty() {
        "the user name is empty"
    } else if name.len() > USER_NAME_BYTES_MAX {
        "the user name is longer than 65535 bytes"
    } else if name.contains(':') {
        "the user name holds a colon, which ends it in a password file"
    } else if name.contains(char::is_control) {
        "the user name holds a control character"
    } else if name.starts_with('#') {
        "the user name begins with #, which makes its line a comment"
    } else if name.trim_ascii() != name {
        "the user name begins or ends with a space, which a password file does not keep"
    } else {
        return Ok(());
    };
    Err(EditError::UserName(reason))
}

fn numbered_lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    (1..).zip(lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line)))
}

fn at(line_index: usize, what: String) -> LineError {
    let line = u32::try_from(line_index + 1).unwrap_or(u32::MAX);
    LineError { line, what }
}

impl Line {
    fn of(name: &str, hash: PasswordHash) -> Self {
        let raw = format!("{name}:{hash}").into_bytes();
        Self { raw, user: Some(User { name: name.to_owned(), hash }) }
    }

    fn is_of(&self, user: &str) -> bool {
        self.user.as_ref().is_some_and(|entry| entry.name == user)
    }
}

/// A user name that fits into a message.
struct Short<'a>(&'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(64) {
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
            None => write!(f, "{:?}", self.0),
        }
    }
}

impl fmt::Display for PasswordFileText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{}", String::from_utf8_lossy(&line.raw)))
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for LineError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both of the password `secret`.
    const SHA512: &str = "$6$AQIDBAUGBwgJCgsM$XtaqFTpVqKCBusKxL7SramYPpHVSOw+CXtRUIv0PpX6q57MW1a1RUVsL\
        MxkhMn6XOYi3uYMZcGrMAEzcnh9EoA==";
    const PBKDF2: &str = "$7$3$AQIDBAUGBwgJCgsM$VHqX6H3rwCVwfCOGqCLKIeLw30bPnYbsMvsiYd1xtZ1skO2N8ylqSyjc\
        No+lUOV4Qe3F6axFMEml8/dIfPY1KQ==";
    const FAST: Algorithm = Algorithm::Sha512;

    fn error_of(text: &str) -> (u32, String) {
        let error = PasswordFileText::parse(text).unwrap_err();
        (error.line, error.what)
    }

    fn users_of(text: impl AsRef<[u8]>) -> Vec<String> {
        let file = PasswordFileText::parse(text).unwrap();
        file.users().map(str::to_owned).collect()
    }

    #[test]
    fn users_are_found_between_comments_and_other_lines() {
        let text = format!("# people\n\nalice:{SHA512}\nnobody\n#bob:x\n carol \t: {PBKDF2} \n");
        let file = PasswordFileText::parse(&text).unwrap();
        assert_eq!(file.users().collect::<Vec<_>>(), ["alice", "carol"]);
        assert!(file.check("alice", b"secret") && file.check("carol", b"secret"));
        assert!(!file.check("alice", b"Secret") && !file.check("dave", b"secret"));
    }

    #[test]
    fn an_empty_file_has_no_users() {
        for text in ["", "\n", "\n\n"] {
            let file = PasswordFileText::parse(text).unwrap();
            assert_eq!((file.users().count(), file.to_string().as_str()), (0, text));
        }
    }

    #[test]
    fn fields_after_the_hash_are_ignored() {
        assert_eq!(users_of(format!("alice:{SHA512}:1000:/home\n")), ["alice"]);
    }

    #[test]
    fn lines_may_end_as_on_windows_or_not_at_all() {
        assert_eq!(users_of(format!("alice:{SHA512}\r\nbob:{PBKDF2}")), ["alice", "bob"]);
    }

    #[test]
    fn a_line_with_a_mistake_is_named_with_the_reason() {
        let twice = format!("alice:{SHA512}\n# x\n alice:{SHA512}\n");
        for (text, line, reason) in [
            ("#\nalice:secret\n", 2, "not hashed"),
            ("alice:\n", 1, "not hashed"),
            ("\n\nalice:$6$x\n", 3, "cut short"),
            (&format!(":{SHA512}"), 1, "user name is missing"),
            (&format!("  :{SHA512}"), 1, "user name is missing"),
            (&format!("{}:{SHA512}", "x".repeat(65_536)), 1, "longer than 65535"),
            (&twice, 3, "user \"alice\" has a line already"),
        ] {
            let (at, what) = error_of(text);
            assert!(at == line && what.contains(reason), "{text:.40}: {at} {what}");
        }
    }

    #[test]
    fn a_message_about_a_line_does_not_quote_the_password() {
        assert!(!error_of("alice:hunter2\n").1.contains("hunter2"));
    }

    #[test]
    fn only_user_lines_have_to_be_utf_8() {
        let latin1 = [b"# caf\xe9\nalice:", SHA512.as_bytes(), b"\n"].concat();
        let file = PasswordFileText::parse(&latin1).unwrap();
        assert_eq!(file.to_bytes(), latin1);

        let name = [b"caf\xe9:", SHA512.as_bytes()].concat();
        let error = PasswordFileText::parse(&name).unwrap_err();
        assert_eq!(error, LineError { line: 1, what: "it is not UTF-8".to_owned() });
    }

    #[test]
    fn setting_a_password_keeps_everything_else() {
        let text = format!("# a\nalice:{SHA512}:x\n\n# b\nbob:{SHA512}\n");
        let mut file = PasswordFileText::parse(&text).unwrap();
        file.set("alice", b"new", FAST).unwrap();
        file.set("carol", b"third", FAST).unwrap();

        let written = file.to_string();
        let lines: Vec<_> = written.lines().collect();
        assert_eq!((lines[0], lines[2], lines[3]), ("# a", "", "# b"));
        assert_eq!(lines[4], format!("bob:{SHA512}"));
        assert!(lines[1].starts_with("alice:$6$") && lines[5].starts_with("carol:$6$"));

        let read = PasswordFileText::parse(&written).unwrap();
        assert!(read.check("alice", b"new") && !read.check("alice", b"secret"));
        assert!(read.check("bob", b"secret") && read.check("carol", b"third"));
    }

    #[test]
    fn a_removed_user_is_gone_and_the_rest_stays() {
        let text = format!("# a\nalice:{SHA512}\nbob:{SHA512}\n");
        let mut file = PasswordFileText::parse(&text).unwrap();
        assert!(file.remove("alice") && !file.remove("alice"));
        assert_eq!(file.to_string(), format!("# a\nbob:{SHA512}\n"));
        assert!(file.contains("bob") && !file.contains("alice"));
    }

    #[test]
    fn user_names_that_would_not_read_back_are_refused() {
        let mut file = PasswordFileText::default();
        let long = "x".repeat(65_536);
        for name in ["", "a:b", "a\nb", "a\u{7f}", "a\u{85}", "#a", " a", "a ", &long] {
            let set = file.set(name, b"p", FAST);
            assert!(matches!(set, Err(EditError::UserName(_))), "{name:.20?}");
        }
        assert_eq!(file.to_string(), "");
        assert_eq!(file.set("alice", b"", FAST), Err(EditError::Password));
    }

    #[test]
    fn a_plain_list_is_hashed_in_one_go() {
        let plain = format!("# list\n\nalice:secret\n bob : a b:c \r\ncarol:{SHA512}\ndave:$x");
        let converted = convert_plain(&plain, FAST).unwrap();
        assert!(converted.starts_with("# list\n\nalice:$6$"));
        assert!(converted.contains(&format!("\ncarol:{SHA512}\n")));

        let file = PasswordFileText::parse(&converted).unwrap();
        assert_eq!(file.users().collect::<Vec<_>>(), ["alice", "bob", "carol", "dave"]);
        assert!(file.check("alice", b"secret") && file.check("bob", b"a b:c"));
        assert!(file.check("carol", b"secret") && file.check("dave", b"$x"));
    }

    #[test]
    fn converting_again_changes_nothing() {
        let once = convert_plain("# list\nalice:secret\n", FAST).unwrap();
        assert_eq!(convert_plain(&once, FAST).unwrap(), once);
    }

    #[test]
    fn a_plain_list_with_a_mistake_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("alice:a\nbob", 2, "not user:password"),
            ("alice:\n", 1, "password is empty"),
            (":a\n", 1, "user name is empty"),
            ("alice:a\n\nalice:b\n", 3, "has a line already"),
            ("alice:$7$5$abc\n", 1, "cut short"),
        ] {
            let LineError { line: at, what } = convert_plain(text, FAST).unwrap_err();
            assert!(at == line && what.contains(reason), "{text:?}: {at} {what}");
        }
    }

    mod properties {
        use super::*;
        use proptest::prelude::*;

        fn line() -> impl Strategy<Value = String> {
            prop_oneof![
                "#[^\n]{0,12}",
                "[^:\n]{0,12}",
                "[a-c]{1,2}".prop_map(|name| format!("{name}:{SHA512}")),
                "[a-c ]{0,2}:[$67a]{0,6}",
            ]
        }

        proptest! {
            #[test]
            fn a_file_that_is_read_is_written_as_it_was(
                lines in proptest::collection::vec(line(), 0..8),
            ) {
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                if let Ok(file) = PasswordFileText::parse(&text) {
                    prop_assert_eq!(file.to_bytes(), text.as_bytes());
                    prop_assert_eq!(file.to_string(), text);
                }
            }

            #[test]
            fn every_name_that_is_accepted_reads_back(name in "\\PC{0,8}", password in "\\PC{1,8}") {
                let mut file = PasswordFileText::default();
                if file.set(&name, password.as_bytes(), FAST).is_ok() {
                    let read = PasswordFileText::parse(file.to_string()).unwrap();
                    prop_assert_eq!(read.users().collect::<Vec<_>>(), [&name]);
                    prop_assert!(read.check(&name, password.as_bytes()));
                }
            }

            #[test]
            fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
                let refused = PasswordFileText::parse(&bytes).err();
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
                prop_assert!(refused.is_none_or(|error| (1..=lines).contains(&(error.line as usize))));
            }
        }
    }
}
