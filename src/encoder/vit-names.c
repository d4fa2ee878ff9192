/* SPDX-License-Identifier: Apache-2.0 */
/* A vision transformer's tensors by name. */
#include "vit-names.h"

enum { MOST_BLOCKS = 128 };

/* -- names ---------------------------------------------------------------------------------------------------------------- */

/* Alternative names are tried in order. With a dot at the end: .weight and .bias. */
typedef struct {
    const char *usual[3], *hugging[4];
} Names;
static const Names names[RMIL_VIT_PARTS] = {
    [RMIL_VIT_PATCH] = {{"patch_embed.proj."}, {"embeddings.patch_embeddings.projection."}},
    [RMIL_VIT_TOKEN] = {{"cls_token"}, {"embeddings.cls_token"}},
    [RMIL_VIT_REGISTERS] = {{"reg_token", "register_tokens"}, {"embeddings.register_tokens"}},
    [RMIL_VIT_POSITION] = {{"pos_embed"}, {"embeddings.position_embeddings"}},
    [RMIL_VIT_NORM] = {{"norm."}, {"layernorm."}},
    [RMIL_VIT_NORM1] = {{"norm1."}, {"norm1.", "layernorm_before."}},
    [RMIL_VIT_QKV] = {{"attn.qkv."}, {0}},
    [RMIL_VIT_PROJECTION] = {{"attn.proj."}, {"attention.output.dense."}},
    [RMIL_VIT_SCALE1] = {{"ls1.gamma"}, {"layer_scale1.lambda1"}},
    [RMIL_VIT_NORM2] = {{"norm2."}, {"norm2.", "layernorm_after."}},
    [RMIL_VIT_INNER] = {{"mlp.fc1.", "mlp.w12."}, {"mlp.fc1.", "mlp.weights_in.", "intermediate.dense."}},
    [RMIL_VIT_OUTER] = {{"mlp.fc2.", "mlp.w3."}, {"mlp.fc2.", "mlp.weights_out.", "output.dense."}},
    [RMIL_VIT_SCALE2] = {{"ls2.gamma"}, {"layer_scale2.lambda1"}},
};
/* In Hugging Face's files, queries, keys and values are separate. */
static const char *const thirds[3] = {"attention.attention.query.", "attention.attention.key.", "attention.attention.value."};

/* Networks with these tensors compute something else. */
static const char *const strangers[] = {"norm_pre.", "fc_norm.", "attn_pool.", "patch_embed.norm.", "pos_drop_token", "dist_token"};

char *rmil_vit_name_full(const RmilVitWeights *w, int64_t block, const char *name, const char *ending) {
    const gboolean pair = g_str_has_suffix(name, ".");
    return g_strconcat(w->prefix, block < 0 ? "" : (const char *)w->blocks->pdata[block], name, pair ? ending : NULL, NULL);
}

int rmil_vit_name_parts(const RmilVitWeights *w, RmilVitPart part) { return part == RMIL_VIT_QKV && w->hugging ? 3 : 1; }

const char *rmil_vit_name(const RmilVitWeights *w, RmilVitPart part, int which, int64_t block) {
    if (rmil_vit_name_parts(w, part) == 3) return thirds[which];
    const char *const *all = w->hugging ? names[part].hugging : names[part].usual;
    for (int i = 0; i < 3 && all[i]; i++) {
        g_autofree char *full = rmil_vit_name_full(w, block, all[i], "weight");
        if (rmil_tensors_find(w->tensors, full)) return all[i];
    }
    return all[0];
}

const RmilTensor *rmil_vit_tensor(const RmilVitWeights *w, RmilVitPart part, int64_t block) {
    g_autofree char *full = rmil_vit_name_full(w, block, rmil_vit_name(w, part, 0, block), "weight");
    return rmil_tensors_find(w->tensors, full);
}

static gboolean has_component(const char *prefix, const char *component) {
    g_auto(GStrv) parts = g_strsplit(prefix, ".", -1);
    return g_strv_contains((const char *const *)parts, component);
}

/* Rank of a network, if a file contains two: a teacher before others, a student last; else the shorter prefix. */
static int worth(const char *prefix) {
    const int kind = has_component(prefix, "teacher") ? 0 : has_component(prefix, "student") ? 2 : 1;
    return kind * 100000 + (int)MIN(strlen(prefix), 99999);
}

static gboolean find_prefix(RmilVitWeights *w, GError **error) {
    const int64_t count = rmil_tensors_count(w->tensors);
    for (int64_t i = 0; i < count; i++)
        for (int hugging = 0; hugging < 2; hugging++) {
            const char *name = rmil_tensors_at(w->tensors, i)->name;
            g_autofree char *stem = g_strconcat(hugging ? names[RMIL_VIT_PATCH].hugging[0] : names[RMIL_VIT_PATCH].usual[0], "weight",
                                                NULL);
            if (!g_str_has_suffix(name, stem)) continue;
            g_autofree char *prefix = g_strndup(name, strlen(name) - strlen(stem));
            if ((*prefix && !g_str_has_suffix(prefix, ".")) || (w->prefix && worth(prefix) >= worth(w->prefix))) continue;
            g_free(w->prefix);
            w->prefix = g_steal_pointer(&prefix);
            w->hugging = hugging;
        }
    return w->prefix || rmil_fail(error, RMIL_ERROR_FORMAT,
                                  "%s: contains no vision transformer: neither patch_embed.proj.weight nor "
                                  "embeddings.patch_embeddings.projection.weight is among its %" G_GINT64_FORMAT " tensors",
                                  rmil_tensors_path(w->tensors), count);
}

/* -- blocks ---------------------------------------------------------------------------------------------------------------- */

/* "blocks.3.norm1.weight" -> 3, "blocks." + "3."; "blocks.1.12.norm1.weight" -> 12. FALSE: not in a block. */
static gboolean parse_block(const RmilVitWeights *w, const char *name, int64_t *index, gsize *length) {
    const char *stem = w->hugging ? "encoder.layer." : "blocks.";
    if (!g_str_has_prefix(name, w->prefix)) return FALSE;
    const char *start = name + strlen(w->prefix), *at = start;
    if (!g_str_has_prefix(at, stem)) return FALSE;
    at += strlen(stem);
    for (int numbers = 0; numbers < 2; numbers++) {
        char *end;
        if (!g_ascii_isdigit(*at)) return numbers > 0;
        const guint64 number = g_ascii_strtoull(at, &end, 10);
        if (*end != '.' || number >= MOST_BLOCKS) return FALSE;
        *index = (int64_t)number;
        at = end + 1;
        *length = (gsize)(at - start);
    }
    return TRUE;
}

static gboolean find_blocks(RmilVitWeights *w, GError **error) {
    const char *path = rmil_tensors_path(w->tensors);
    for (int64_t i = 0; i < rmil_tensors_count(w->tensors); i++) {
        const char *name = rmil_tensors_at(w->tensors, i)->name;
        int64_t index;
        gsize length;
        if (!parse_block(w, name, &index, &length)) continue;
        if (index >= w->blocks->len) g_ptr_array_set_size(w->blocks, (gint)index + 1);
        g_autofree char *block = g_strndup(name + strlen(w->prefix), length);
        char **known = (char **)&w->blocks->pdata[index];
        if (*known && strcmp(*known, block) != 0)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: both %s and %s would be block %" G_GINT64_FORMAT, path, *known, block, index);
        if (!*known) *known = g_steal_pointer(&block);
    }
    for (guint i = 0; i < w->blocks->len; i++)
        if (!w->blocks->pdata[i]) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no block %u of its %u", path, i, w->blocks->len);
    return w->blocks->len || rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no tensor \"%s%s0.norm1.weight\"", path, w->prefix,
                                       w->hugging ? "encoder.layer." : "blocks.");
}

gboolean rmil_vit_names_find(RmilVitWeights *w, GError **error) {
    w->blocks = g_ptr_array_new_with_free_func(g_free);
    return find_prefix(w, error) && find_blocks(w, error);
}

gboolean rmil_vit_name_strange(const RmilVitWeights *w, const char *name) {
    int64_t index;
    gsize length;
    if (!g_str_has_prefix(name, w->prefix)) return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(strangers); i++)
        if (g_str_has_prefix(name + strlen(w->prefix), strangers[i])) return TRUE;
    return parse_block(w, name, &index, &length);
}
