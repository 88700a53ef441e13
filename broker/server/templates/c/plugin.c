/* Adds the unit to readings: {"value": 21} becomes {"value": 21,"unit":"C"}. */
#include <stdlib.h>
#include <string.h>

#include "binding/transform_plugin.h"
#include "json.h"

enum { UNIT_MAX = 16 };

/* `unit` of the configuration; what stands before and behind it is put in front of the last brace. */
static char unit[UNIT_MAX + 1] = "C";
static const char before[] = ",\"unit\":\"", behind[] = "\"";

/* What is returned is freed by the binding, so it is never a literal. */
static transform_plugin_string_t text(const char *literal) {
  transform_plugin_string_t copy;
  transform_plugin_string_dup(&copy, literal);
  return copy;
}

void exports_pintle_plugin_lifecycle_describe(exports_pintle_plugin_lifecycle_about_t *about) {
  memset(about, 0, sizeof *about);
  about->name = text("{{name}}");
  about->version = text("0.1.0");
  about->hooks = EXPORTS_PINTLE_PLUGIN_LIFECYCLE_HOOKS_PUBLISH;
  about->payload = true;
}

bool exports_pintle_plugin_lifecycle_init(exports_pintle_plugin_lifecycle_settings_error_t *error) {
  transform_plugin_string_t config;
  member found;
  bool is_fine = true;
  pintle_plugin_config_get(&config);
  if (json_member((span){config.ptr, config.len}, "unit", &found)) {
    span value = json_text(found.value);
    is_fine = value.len > 0 && value.len <= UNIT_MAX;
    if (is_fine) {
      memcpy(unit, value.at, value.len);
      unit[value.len] = 0;
    }
  }
  transform_plugin_string_free(&config);
  if (!is_fine) {
    memset(error, 0, sizeof *error);
    error->what = text("`unit` is a text of 16 bytes at most");
  }
  return is_fine;
}

static void append(transform_plugin_list_u8_t *out, const void *bytes, size_t len) {
  memcpy(out->ptr + out->len, bytes, len);
  out->len += len;
}

/* The payload with its unit; false if it is no reading, or has one. */
static bool with_unit(span payload, transform_plugin_list_u8_t *out) {
  member field;
  double value;
  if (!json_member(payload, "value", &field) || !json_number(field.value, &value)) return false;
  if (json_member(payload, "unit", &field)) return false;
  size_t brace = payload.len;
  while (payload.at[--brace] != '}') {}
  out->len = 0;
  out->ptr = malloc(payload.len + sizeof before + UNIT_MAX + sizeof behind);
  append(out, payload.at, brace);
  append(out, before, strlen(before));
  append(out, unit, strlen(unit));
  append(out, behind, strlen(behind));
  append(out, payload.at + brace, payload.len - brace);
  return true;
}

exports_pintle_plugin_publish_verdict_t exports_pintle_plugin_publish_on_publish(
    exports_pintle_plugin_publish_origin_t origin, uint64_t client,
    exports_pintle_plugin_publish_header_t *header, transform_plugin_list_u8_t *inline_payload) {
  (void)origin, (void)client;
  transform_plugin_list_u8_t payload;
  /* A long payload is not handed over, but asked for. */
  if (inline_payload) payload = *inline_payload;
  else pintle_plugin_message_payload(&payload);

  exports_pintle_plugin_publish_verdict_t verdict = EXPORTS_PINTLE_PLUGIN_PUBLISH_VERDICT_PASS;
  /* All of it zero: nothing changes. */
  pintle_plugin_answer_message_patch_t patch;
  memset(&patch, 0, sizeof patch);
  if (with_unit((span){payload.ptr, payload.len}, &patch.payload.val)) {
    patch.payload.is_some = true;
    pintle_plugin_answer_rewrite(&patch);
    verdict = EXPORTS_PINTLE_PLUGIN_PUBLISH_VERDICT_REWRITE;
  }
  pintle_plugin_answer_message_patch_free(&patch);
  /* What a hook is handed is its own. */
  exports_pintle_plugin_publish_header_free(header);
  transform_plugin_list_u8_free(&payload);
  return verdict;
}
