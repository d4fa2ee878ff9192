/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of an ONNX file. */
#include "onnx-file.h"

#include "tensors/protobuf.h"

#include <string.h>

enum { MODEL_METADATA = 14, ENTRY_KEY = 1, ENTRY_VALUE = 2, MOST_TEXT = 4096 };

gboolean rmil_onnx_colours(const char *named, const char *text, gboolean positive, double out[3], GError **error) {
    const char *at = text;
    gboolean good = TRUE;
    for (int c = 0; good && c < 3; c++) {
        char *end;
        out[c] = g_ascii_strtod(at, &end);
        good = end != at && *end == (c < 2 ? ',' : '\0') && out[c] <= 1 && (positive ? out[c] > 0 : out[c] >= 0); /* rejects NaN */
        at = end + 1;
    }
    return good || rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "%s %s: give three numbers R,G,B, %s and at most 1, since pixels range from 0 to 1 (0.485,0.456,0.406)", named,
                             text, positive ? "above 0" : "from 0 on");
}

/* Stores one entry in the field of its key. The last one with a key counts. */
static void take_entry(const RmilProtoField *entry, RmilOnnxSays *says, char **side, char **mpp) {
    const struct {
        const char *key;
        char **text;
    } known[] = {{"encoder", &says->encoder}, {"exporter", &says->exporter}, {"weights", &says->weights}, {"mean", &says->mean},
                 {"sd", &says->sd},           {"pooling", &says->pooling},   {"input_px", side},          {"mpp", mpp}};
    g_autofree char *key = NULL, *value = NULL;
    RmilProtoField field;
    if (entry->inner.end - entry->inner.at > MOST_TEXT) return;
    for (RmilProto message = entry->inner; rmil_proto_next(&message, &field);) {
        if (field.field != ENTRY_KEY && field.field != ENTRY_VALUE) continue;
        char **to = field.field == ENTRY_KEY ? &key : &value;
        g_free(*to);
        *to = rmil_proto_string(&field);
    }
    if (!key || !value || !g_str_has_prefix(key, RMIL_ONNX_KEY)) return;
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (strcmp(known[i].key, key + strlen(RMIL_ONNX_KEY)) != 0) continue;
        g_free(*known[i].text);
        *known[i].text = g_steal_pointer(&value);
        return;
    }
}

static gboolean number(const char *path, const char *key, const char *text, double low, double high, double *value, GError **error) {
    if (!text) return TRUE;
    char *end;
    *value = g_ascii_strtod(text, &end);
    return (end != text && !*end && *value >= low && *value <= high) ||
           rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its metadata say " RMIL_ONNX_KEY "%s \"%s\", which is not a number from %g to %g", path,
                     key, text, low, high);
}

static gboolean colours(const char *path, const char *key, const char *text, gboolean positive, GError **error) {
    double numbers[3];
    GError *reason = NULL;
    if (!text || rmil_onnx_colours(key, text, positive, numbers, &reason)) return TRUE;
    rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its metadata say %s", path, reason->message);
    g_error_free(reason);
    return FALSE;
}

gboolean rmil_onnx_says_parse(const char *path, const void *bytes, gsize size, RmilOnnxSays *says, GError **error) {
    *says = (RmilOnnxSays){0};
    RmilProto model = {bytes, (const guint8 *)bytes + size};
    g_autofree char *side = NULL, *mpp = NULL;
    double px = 0;
    for (RmilProtoField field; rmil_proto_next(&model, &field);)
        if (field.field == MODEL_METADATA && field.bytes) take_entry(&field, says, &side, &mpp);
    const gboolean good = number(path, "input_px", side, RMIL_ONNX_LEAST_SIDE, RMIL_ONNX_MOST_SIDE, &px, error) &&
                          number(path, "mpp", mpp, 0.01, 100, &says->mpp, error) &&
                          colours(path, RMIL_ONNX_KEY "mean", says->mean, FALSE, error) &&
                          colours(path, RMIL_ONNX_KEY "sd", says->sd, TRUE, error);
    says->input_px = (int)px;
    return good;
}

gboolean rmil_onnx_says(const char *path, RmilOnnxSays *says, GError **error) {
    *says = (RmilOnnxSays){0};
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);
    const gsize size = file ? g_mapped_file_get_length(file) : 0; /* opening it reports why it is not a model */
    return !size || rmil_onnx_says_parse(path, g_mapped_file_get_contents(file), size, says, error);
}

void rmil_onnx_says_clear(RmilOnnxSays *says) {
    g_free(says->encoder);
    g_free(says->exporter);
    g_free(says->weights);
    g_free(says->mean);
    g_free(says->sd);
    g_free(says->pooling);
    *says = (RmilOnnxSays){0};
}
