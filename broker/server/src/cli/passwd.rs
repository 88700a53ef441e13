//! `pintle passwd`: makes, changes and checks password files.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use pintle_plugin_password_file::file::{Algorithm, PasswordFileText, SaltLength, convert_plain};

use super::Exit;

/// Adds a user, changes a password, or does what the flags say.
#[derive(Args, Debug)]
pub(super) struct PasswdArgs {
    /// The password file; it is made if it is not there
    file: PathBuf,
    /// The user
    #[arg(required_unless_present = "upgrade")]
    user: Option<String>,
    /// The password, with -b; others on this machine can see it while the command runs
    #[arg(requires = "batch")]
    password: Option<String>,
    /// Take the password from the command line
    #[arg(short = 'b', long, requires = "password")]
    batch: bool,
    /// Begin with an empty file, whatever is there
    #[arg(short = 'c', long, conflicts_with_all = ["delete", "upgrade", "check"])]
    create: bool,
    /// Remove the user
    #[arg(short = 'D', long, conflicts_with_all = ["upgrade", "check"])]
    delete: bool,
    /// Hash every plain password of a file of user:password lines
    #[arg(short = 'U', long, conflicts_with_all = ["user", "check"])]
    upgrade: bool,
    /// Say whether the password is right, and change nothing
    #[arg(long)]
    check: bool,
    /// Take the password from a file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    password_file: Option<PathBuf>,
    /// How to hash
    #[arg(short = 'H', long, value_enum, default_value_t = AlgorithmName::Argon2id)]
    algorithm: AlgorithmName,
    /// Rounds of pbkdf2
    #[arg(short = 'I', long, value_name = "N", default_value = "100000")]
    iterations: NonZeroU32,
    /// Write what this version of mosquitto reads
    #[arg(long, value_enum, value_name = "VERSION", conflicts_with_all = ["algorithm", "iterations"])]
    compat: Option<Compat>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AlgorithmName {
    /// Argon2id; mosquitto 2.1 reads it where it is built with Argon2
    Argon2id,
    /// PBKDF2-HMAC-SHA512; mosquitto 2.1 reads it
    #[value(alias = "sha512-pbkdf2")]
    Pbkdf2,
    /// One SHA-512, for brokers older than mosquitto 2.0; it protects badly
    Sha512,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Compat {
    /// PBKDF2 with 101 rounds and a short salt, as mosquitto 2.0 writes it
    #[value(name = "2.0")]
    Mosquitto20,
}

impl PasswdArgs {
    fn algorithm(&self) -> Algorithm {
        match (self.compat, self.algorithm) {
            (Some(Compat::Mosquitto20), _) => Algorithm::MOSQUITTO_2_0,
            (None, AlgorithmName::Argon2id) => Algorithm::Argon2id,
            (None, AlgorithmName::Pbkdf2) => {
                Algorithm::Pbkdf2Sha512 { iterations: self.iterations, salt: SaltLength::Bytes64 }
            }
            (None, AlgorithmName::Sha512) => Algorithm::Sha512,
        }
    }
}

pub(super) fn run(args: &PasswdArgs) -> Result<Exit> {
    let Some(user) = &args.user else {
        return upgrade(args);
    };
    let mut file = read(args)?;
    if args.check {
        let password = password(args, user, false)?;
        return Ok(check(&file, user, &password));
    }
    if args.delete {
        if !file.remove(user) {
            bail!("there is no user {user} in {}", args.file.display());
        }
        write_over(&args.file, &file.to_bytes())?;
        println!("User {user} is removed from {}.", args.file.display());
        return Ok(Exit::Success);
    }
    let known = file.contains(user);
    let password = password(args, user, true)?;
    file.set(user, &password, args.algorithm())
        .with_context(|| format!("cannot set the password of {user}"))?;
    write_over(&args.file, &file.to_bytes())?;
    let did = if known { "has a new password in" } else { "is added to" };
    println!("User {user} {did} {}.", args.file.display());
    Ok(Exit::Success)
}

fn check(file: &PasswordFileText, user: &str, password: &[u8]) -> Exit {
    if !file.contains(user) {
        println!("There is no user {user}.");
        Exit::No
    } else if file.check(user, password) {
        println!("The password of {user} is right.");
        Exit::Success
    } else {
        println!("The password of {user} is wrong.");
        Exit::No
    }
}

fn upgrade(args: &PasswdArgs) -> Result<Exit> {
    let path = args.file.display();
    let text = fs::read_to_string(&args.file).with_context(|| format!("cannot read {path}"))?;
    let converted = convert_plain(&text, args.algorithm())
        .map_err(|error| anyhow::anyhow!("{path}:{}: {}", error.line, error.what))?;
    let users = PasswordFileText::parse(&converted)
        .map_err(|error| anyhow::anyhow!("{path}:{}: {}", error.line, error.what))?;
    write_over(&args.file, converted.as_bytes())?;
    println!("{path} holds hashes only now, of {} users.", users.users().count());
    Ok(Exit::Success)
}

/// The file as it is; empty if it is new.
fn read(args: &PasswdArgs) -> Result<PasswordFileText> {
    let path = args.file.display();
    if args.create {
        return Ok(PasswordFileText::default());
    }
    let bytes = match fs::read(&args.file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !args.check && !args.delete => {
            Vec::new()
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
    };
    PasswordFileText::parse(bytes).map_err(|error| {
        let hint = "a list of plain user:password lines is converted with -U";
        anyhow::anyhow!("{path}:{}: {} ({hint})", error.line, error.what)
    })
}

fn password(args: &PasswdArgs, user: &str, twice: bool) -> Result<Vec<u8>> {
    if let Some(password) = &args.password {
        return Ok(password.clone().into_bytes());
    }
    match &args.password_file {
        Some(path) if path.as_os_str() != "-" => {
            let bytes =
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(without_line_end(bytes))
        }
        Some(_) => first_line_of_stdin(),
        None if io::stdin().is_terminal() => ask(user, twice),
        None => first_line_of_stdin(),
    }
}

fn ask(user: &str, twice: bool) -> Result<Vec<u8>> {
    let password = rpassword::prompt_password(format!("Password of {user}: "))?;
    if twice && rpassword::prompt_password("Once more: ")? != password {
        bail!("the passwords differ");
    }
    Ok(password.into_bytes())
}

fn first_line_of_stdin() -> Result<Vec<u8>> {
    let mut line = Vec::new();
    io::stdin()
        .lock()
        .read_until(b'\n', &mut line)
        .context("cannot read the password from standard input")?;
    if line.is_empty() {
        bail!("standard input holds no password");
    }
    Ok(without_line_end(line))
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    bytes
}

/// Puts `bytes` in the place of `path` in one step, so that a broker that watches it never sees
/// half a file. Permissions and owner stay; a new file is for its owner alone.
fn write_over(path: &Path, bytes: &[u8]) -> Result<()> {
    // A link stays a link: what it points to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let result = write_beside(&beside, path, bytes);
    if result.is_err() {
        // Nothing more can be done about a file that does not go away.
        let _ = fs::remove_file(&beside);
    }
    result.with_context(|| format!("cannot write {}", path.display()))
}

fn write_beside(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(beside)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
        #[cfg(unix)]
        keep_owner(&file, &old)?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    sync_folder(path)
}

#[cfg(unix)]
fn keep_owner(file: &fs::File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    fs::File::open(folder)?.sync_all()
}
