use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mlua::{Lua, LuaString, Result, Table, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::encodings::to_lua;
use super::failure::complaint;

/// `crypto`: hashes, and the check of JSON Web Tokens.
pub(super) fn add(lua: &Lua) -> Result<()> {
    let module = lua.create_table()?;
    module.raw_set(
        "sha256",
        lua.create_function(|lua, bytes: LuaString| {
            lua.create_string(Sha256::digest(&*bytes.as_bytes()))
        })?,
    )?;
    module.raw_set(
        "hmac_sha256",
        lua.create_function(|lua, (key, bytes): (LuaString, LuaString)| {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.as_bytes()) else {
                return complaint(lua, "hmac_sha256: the key can not be used");
            };
            mac.update(&bytes.as_bytes());
            lua.create_string(mac.finalize().into_bytes())
        })?,
    )?;
    module.raw_set(
        "equal",
        lua.create_function(|_, (one, other): (LuaString, LuaString)| {
            Ok(bool::from(one.as_bytes().ct_eq(&other.as_bytes())))
        })?,
    )?;
    module.raw_set("jwt_verify", lua.create_function(jwt_verify)?)?;
    lua.globals().raw_set("crypto", module)
}

/// The claims of a token that holds, or `nil` and why it does not.
fn jwt_verify(lua: &Lua, (token, options): (LuaString, Table)) -> Result<(Value, Option<String>)> {
    let (key, validation) = terms(lua, &options)?;
    let no = |why: String| Ok((Value::Nil, Some(why)));
    let Ok(token) = token.to_str() else {
        return no("the token is no text".to_owned());
    };
    match jsonwebtoken::decode::<serde_json::Value>(&token, &key, &validation) {
        Ok(verified) => Ok((to_lua(lua, &verified.claims)?, None)),
        Err(error) => no(error.to_string()),
    }
}

fn terms(lua: &Lua, options: &Table) -> Result<(DecodingKey, Validation)> {
    let mut algorithms = Vec::new();
    for name in options.raw_get::<Option<Vec<String>>>("algorithms")?.unwrap_or_default() {
        match name.parse::<Algorithm>() {
            Ok(algorithm) => algorithms.push(algorithm),
            Err(_) => return complaint(lua, format!("jwt_verify: no algorithm is named {name}")),
        }
    }
    let Some(first) = algorithms.first().copied() else {
        let what = "jwt_verify: name the algorithms, as in algorithms = { \"HS256\" }";
        return complaint(lua, what);
    };
    let secret: Option<LuaString> = options.raw_get("secret")?;
    let public_key: Option<LuaString> = options.raw_get("public_key")?;
    let is_symmetric =
        |one: &Algorithm| matches!(one, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
    // A public key that is taken for a secret lets anybody sign.
    if algorithms.iter().any(is_symmetric) != secret.is_some() {
        let what =
            "jwt_verify: `secret` goes with HS256, HS384 and HS512, `public_key` with the rest";
        return complaint(lua, what);
    }
    let key = match (secret, public_key) {
        (Some(secret), None) => DecodingKey::from_secret(&secret.as_bytes()),
        (None, Some(pem)) => match public_key_of(first, &pem.as_bytes()) {
            Ok(key) => key,
            Err(error) => return complaint(lua, format!("jwt_verify: public_key: {error}")),
        },
        _ => return complaint(lua, "jwt_verify: give either `secret` or `public_key`"),
    };
    let mut validation = Validation::new(first);
    validation.algorithms = algorithms;
    validation.leeway = options.raw_get::<Option<u64>>("leeway")?.unwrap_or(0);
    validation.validate_nbf = true;
    match options.raw_get::<Option<String>>("audience")? {
        Some(audience) => validation.set_audience(&[audience]),
        None => validation.validate_aud = false,
    }
    if let Some(issuer) = options.raw_get::<Option<String>>("issuer")? {
        validation.set_issuer(&[issuer]);
    }
    Ok((key, validation))
}

fn public_key_of(
    algorithm: Algorithm,
    pem: &[u8],
) -> std::result::Result<DecodingKey, jsonwebtoken::errors::Error> {
    match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => DecodingKey::from_ec_pem(pem),
        Algorithm::EdDSA => DecodingKey::from_ed_pem(pem),
        _ => DecodingKey::from_rsa_pem(pem),
    }
}
