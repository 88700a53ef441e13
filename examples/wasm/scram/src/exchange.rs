use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pintle_plugin_api::{Accepted, AuthExchange, AuthStep, Failure};

use crate::Users;
use crate::verifier::Verifier;

const NOT_AUTHORIZED: u8 = 0x87;
const PROTOCOL_ERROR: u8 = 0x82;

/// One login: two messages of the client, two answers.
pub(crate) struct Exchange {
    users: Arc<Users>,
    /// The broker's half of the nonce.
    nonce: String,
    /// The only user that it may be, if the client is connected already.
    only: Option<String>,
    state: State,
}

enum State {
    AwaitingFirst,
    AwaitingFinal(Challenged),
    Over,
}

/// What was said before the client's proof.
struct Challenged {
    user: String,
    verifier: Verifier,
    /// The client's first message up to its user name: `n,,`.
    gs2_header: String,
    first_bare: String,
    server_first: String,
    nonce: String,
}

impl Exchange {
    pub(crate) fn new(users: Arc<Users>, nonce: String, only: Option<String>) -> Self {
        Self { users, nonce, only, state: State::AwaitingFirst }
    }

    /// `n,,n=user,r=nonce` → `r=nonces,s=salt,i=iterations`.
    fn first(&self, text: &str) -> Result<Challenged, &'static str> {
        let (gs2_header, first_bare) = split_header(text)?;
        let mut attributes = first_bare.split(',');
        let user = attributes.next().and_then(|text| text.strip_prefix("n="));
        let user = unescaped(user.ok_or("n=user is missing")?).ok_or("the user name is bad")?;
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| !nonce.is_empty()).ok_or("r=nonce is missing")?;
        let nonce = format!("{nonce}{}", self.nonce);
        let verifier = self.users.verifier(&user);
        Ok(Challenged {
            server_first: format!("r={nonce},{}", verifier.terms()),
            gs2_header: gs2_header.to_owned(),
            first_bare: first_bare.to_owned(),
            user,
            verifier,
            nonce,
        })
    }

    fn finish(&self, before: &Challenged, text: &str) -> AuthStep {
        let signature = match before.check(text) {
            Ok(Some(signature)) => signature,
            Ok(None) => return reject(NOT_AUTHORIZED, "wrong user or password"),
            Err(why) => return reject(PROTOCOL_ERROR, why),
        };
        if self.only.as_ref().is_some_and(|only| *only != before.user) {
            return reject(NOT_AUTHORIZED, "a connection stays with its user");
        }
        let principal = Some(before.user.clone());
        let accepted = Accepted { principal, ..Accepted::default() };
        AuthStep::Accept(Box::new(accepted), Some(signature.into_bytes()))
    }
}

impl Challenged {
    /// `c=biws,r=nonces,p=proof` → `v=signature`; nothing if the proof proves nothing.
    fn check(&self, text: &str) -> Result<Option<String>, &'static str> {
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or("p=proof is missing")?;
        let mut attributes = without_proof.split(',');
        let header = attributes.next().and_then(|text| text.strip_prefix("c="));
        if header != Some(&STANDARD.encode(&self.gs2_header)) {
            return Err("c= is not what the first message began with");
        }
        if attributes.next().and_then(|text| text.strip_prefix("r=")) != Some(&self.nonce) {
            return Err("r= is not the nonce");
        }
        let proof = STANDARD.decode(proof).map_err(|_| "p= is no Base64")?;
        let auth_message = format!("{},{},{without_proof}", self.first_bare, self.server_first);
        let signature = self.verifier.answer(&auth_message, &proof);
        Ok(signature.map(|signature| format!("v={}", STANDARD.encode(signature))))
    }
}

impl AuthExchange for Exchange {
    fn step(&mut self, data: Option<&[u8]>) -> AuthStep {
        let Some(text) = data.and_then(|data| std::str::from_utf8(data).ok()) else {
            return reject(PROTOCOL_ERROR, "Authentication Data is missing or no text");
        };
        match std::mem::replace(&mut self.state, State::Over) {
            State::AwaitingFirst => match self.first(text) {
                Ok(challenged) => {
                    let challenge = challenged.server_first.clone().into_bytes();
                    self.state = State::AwaitingFinal(challenged);
                    AuthStep::Challenge(challenge)
                }
                Err(why) => reject(PROTOCOL_ERROR, why),
            },
            State::AwaitingFinal(challenged) => self.finish(&challenged, text),
            State::Over => reject(PROTOCOL_ERROR, "the exchange is over"),
        }
    }
}

fn reject(code: u8, why: &'static str) -> AuthStep {
    AuthStep::Reject(Failure::new(code, why))
}

/// Takes `n,,` or `y,,` from the front. Nobody logs in for somebody else here, and TLS is not looked
/// at.
fn split_header(text: &str) -> Result<(&str, &str), &'static str> {
    if text.starts_with("p=") {
        return Err("channel binding is not offered");
    }
    let is_header = text.starts_with("n,,") || text.starts_with("y,,");
    let split = if is_header { text.split_at_checked(3) } else { None };
    split.ok_or("it begins with n,, or y,,")
}

/// A user name with `=2C` for a comma and `=3D` for an equals sign.
fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut found = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(2)?;
        found.push(match escaped {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        found.push_str(rest);
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    /// The exchange of RFC 7677, section 3, as far as the broker determines it.
    fn exchange(only: Option<&str>) -> Exchange {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::of_password("pencil", &salt, 4096).to_string();
        let users = Users::new(&BTreeMap::from([("user".to_owned(), verifier)])).unwrap();
        let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        Exchange::new(Arc::new(users), nonce, only.map(str::to_owned))
    }

    fn step(exchange: &mut Exchange, text: &str) -> AuthStep {
        exchange.step(Some(text.as_bytes()))
    }

    fn refusal(step: AuthStep) -> (u8, String) {
        match step {
            AuthStep::Reject(Failure { code, message }) => (code, message.unwrap().into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_rfc_7677_is_answered_as_it_says() {
        let mut exchange = exchange(None);
        let challenge = step(&mut exchange, FIRST);
        assert_eq!(challenge, AuthStep::Challenge(CHALLENGE.as_bytes().to_vec()));
        let AuthStep::Accept(accepted, data) = step(&mut exchange, FINAL) else {
            panic!("not accepted")
        };
        assert_eq!(accepted.principal.as_deref(), Some("user"));
        assert_eq!(data.as_deref(), Some(SIGNATURE.as_bytes()));
    }

    #[test]
    fn a_proof_of_another_password_is_refused() {
        let mut exchange = exchange(None);
        step(&mut exchange, FIRST);
        let wrong = FINAL.replace("p=dHz", "p=dHy");
        assert_eq!(refusal(step(&mut exchange, &wrong)).0, 0x87);
        assert_eq!(refusal(step(&mut exchange, FINAL)).1, "the exchange is over");
    }

    #[test]
    fn a_user_that_is_not_there_is_challenged_alike_each_time_and_refused_alike() {
        let first = FIRST.replace("n=user", "n=nobody");
        let challenges: Vec<AuthStep> = (0..2).map(|_| step(&mut exchange(None), &first)).collect();
        assert_eq!(challenges[0], challenges[1]);
        let mut exchange = exchange(None);
        step(&mut exchange, &first);
        let refused = refusal(step(&mut exchange, FINAL));
        assert_eq!(refused, (0x87, "wrong user or password".to_owned()));
    }

    #[test]
    fn a_nonce_or_header_that_is_another_is_refused() {
        for (from, to) in [("r=rOp", "r=xOp"), ("c=biws", "c=eSws")] {
            let mut exchange = exchange(None);
            step(&mut exchange, FIRST);
            assert_eq!(refusal(step(&mut exchange, &FINAL.replace(from, to))).0, 0x82);
        }
    }

    #[test]
    fn a_connection_that_authenticates_again_stays_with_its_user() {
        let mut same = exchange(Some("user"));
        step(&mut same, FIRST);
        assert!(matches!(step(&mut same, FINAL), AuthStep::Accept(..)));
        let mut other = exchange(Some("root"));
        step(&mut other, FIRST);
        assert_eq!(refusal(step(&mut other, FINAL)).0, 0x87);
    }

    #[test]
    fn first_messages_that_make_no_sense_are_refused() {
        let bad = ["", "n,,", "p=tls-unique,,n=user,r=x", "n,a=root,n=user,r=x", "n,,n=,r=x"];
        for text in bad.into_iter().chain(["n,,n=user", "n,,n=user,r=", "n,,n=us=er,r=x"]) {
            assert_eq!(refusal(step(&mut exchange(None), text)).0, 0x82, "{text}");
        }
        assert_eq!(refusal(exchange(None).step(None)).0, 0x82);
        assert_eq!(refusal(exchange(None).step(Some(b"\xff"))).0, 0x82);
    }

    #[test]
    fn commas_and_equals_signs_in_names_are_escaped() {
        assert_eq!(unescaped("a=2Cb=3Dc").as_deref(), Some("a,b=c"));
        assert_eq!(unescaped("a=2"), None);
    }

    #[test]
    fn a_verifier_is_what_it_was_after_it_was_written_down() {
        let verifier = Verifier::of_password("pencil", b"salt", 4096);
        assert_eq!(Verifier::parse(&verifier.to_string()), Ok(verifier));
        for bad in ["", "SCRAM-SHA-256$0:YQ==$YQ==:YQ==", "SCRAM-SHA-256$1:YQ==$YQ==:YQ=="] {
            assert!(Verifier::parse(bad).is_err(), "{bad}");
        }
    }
}
