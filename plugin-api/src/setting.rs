use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

/// Reads a type of a plugin's own from its `config` table.
///
/// In the place of what `serde_json` has for this: the error names the key, and a component is
/// smaller by a third without the code that writes numbers into errors.
pub(crate) struct Setting<'a>(pub(crate) &'a Value);

/// What does not fit, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Keys from the outermost on, with dots between them.
    key: String,
    what: String,
}

impl Misfit {
    fn under(mut self, key: &str) -> Self {
        if !self.key.is_empty() {
            self.key.insert(0, '.');
        }
        self.key.insert_str(0, key);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self { key: String::new(), what: what.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found {}", Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// What was found, for people.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => value.fmt(f),
            Unexpected::Unsigned(value) => value.fmt(f),
            Unexpected::Signed(value) => value.fmt(f),
            Unexpected::Str(text) => write!(f, "`{text}`"),
            Unexpected::Other(what) => f.write_str(what),
            Unexpected::Float(_) => f.write_str("a fraction"),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a table"),
            _ => f.write_str("something else"),
        }
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for Setting<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Setting<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::Array(values) => {
                let mut list = List(values.iter());
                let value = visitor.visit_seq(&mut list)?;
                match list.0.len() {
                    0 => Ok(value),
                    rest => Err(Misfit::custom(format_args!("the last {rest} are too many"))),
                }
            }
            Value::Object(entries) => visitor.visit_map(Table::new(entries)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::String(name) => {
                visitor.visit_enum(BorrowedStrDeserializer::<Misfit>::new(name.as_str()))
            }
            Value::Object(entries) => {
                visitor.visit_enum(MapAccessDeserializer::new(Table::new(entries)))
            }
            _ => Err(Misfit::custom("expected a name")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct List<'a>(std::slice::Iter<'a, Value>);

impl<'de> SeqAccess<'de> for &mut List<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|value| seed.deserialize(Setting(value))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Table<'a> {
    entries: serde_json::map::Iter<'a>,
    current: Option<(&'a str, &'a Value)>,
}

impl<'a> Table<'a> {
    fn new(entries: &'a Map<String, Value>) -> Self {
        Self { entries: entries.iter(), current: None }
    }
}

impl<'de> MapAccess<'de> for Table<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.current = self.entries.next().map(|(key, value)| (key.as_str(), value));
        self.current.map(|(key, _)| seed.deserialize(Key(key))).transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let Some((key, value)) = self.current else {
            return Err(Misfit::custom("a value without a key"));
        };
        seed.deserialize(Setting(value)).map_err(|misfit| misfit.under(key))
    }
}

/// A key may be a number to its plugin.
struct Key<'a>(&'a str);

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_borrowed_str(self.0)
    }

    numbers! {
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64 deserialize_i8 visit_i8 deserialize_i16 visit_i16
        deserialize_i32 visit_i32 deserialize_i64 visit_i64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Key<'de> {
    type Error = Misfit;
    type Variant = <BorrowedStrDeserializer<'de, Misfit> as EnumAccess<'de>>::Variant;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Misfit> {
        BorrowedStrDeserializer::new(self.0).variant_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use crate::Settings;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        name: String,
        #[serde(default)]
        limits: BTreeMap<u16, Option<i8>>,
        #[serde(default)]
        mode: Mode,
        #[serde(default)]
        place: Option<(f64, f64)>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Off,
        Every {
            secs: u32,
        },
        Named(String),
    }

    fn parsed(config: Value) -> Result<Config, String> {
        let settings = Settings { config, ..Settings::default() };
        settings.parse().map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_becomes_a_type_of_the_plugin() {
        let config = json!({
            "name": "n", "limits": { "7": -1, "8": null }, "mode": { "every": { "secs": 5 } },
            "place": [1, 2.5],
        });
        let expected = Config {
            name: "n".to_owned(),
            limits: BTreeMap::from([(7, Some(-1)), (8, None)]),
            mode: Mode::Every { secs: 5 },
            place: Some((1.0, 2.5)),
        };
        assert_eq!(parsed(config), Ok(expected));
    }

    #[test]
    fn cases_of_an_enum_are_a_name_or_a_table() {
        let mode = |mode: Value| parsed(json!({ "name": "", "mode": mode })).map(|all| all.mode);
        assert_eq!(mode(json!("off")), Ok(Mode::Off));
        assert_eq!(mode(json!({ "named": "x" })), Ok(Mode::Named("x".to_owned())));
        let unknown = mode(json!("on")).unwrap_err();
        assert!(unknown.starts_with("mode: unknown variant `on`"), "{unknown}");
        assert_eq!(mode(json!(3)).unwrap_err(), "mode: expected a name");
    }

    #[test]
    fn no_configuration_is_an_empty_table() {
        assert_eq!(parsed(Value::Null).unwrap_err(), "missing field `name`");
        let none: BTreeMap<String, String> = Settings::default().parse().unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn an_error_names_the_key_what_is_expected_and_what_was_found() {
        let wrong = |config: Value| parsed(config).unwrap_err();
        assert_eq!(wrong(json!({ "name": 5 })), "name: expected a string, found 5");
        assert_eq!(wrong(json!({ "name": [] })), "name: expected a string, found a list");
        let nested = json!({ "name": "", "limits": { "7": "x" } });
        assert_eq!(wrong(nested), "limits.7: expected i8, found `x`");
        let large = json!({ "name": "", "limits": { "7": 300 } });
        assert_eq!(wrong(large), "limits.7: expected i8, found 300");
        let place = json!({ "name": "", "place": [1, 2, 3] });
        assert_eq!(wrong(place), "place: the last 1 are too many");
        let unknown = wrong(json!({ "nme": "" }));
        assert!(unknown.starts_with("unknown field `nme`, expected one of `name`"), "{unknown}");
    }
}
