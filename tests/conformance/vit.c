/* SPDX-License-Identifier: Apache-2.0 */
/* vit/: vision transformers of every family of names and every kind of file, against the code of those who made them: all tokens, and
 * the features that pooling makes of them; in float32, and in bfloat16 where the processor has it. */
#include "conformance.h"

#include "encoder/product.h"
#include "encoder/vit.h"

#include <json-glib/json-glib.h>
#include <math.h>

typedef struct {
    RmilTensors *file, *weights; /* weights: NULL: in file */
    RmilVitConfig config;
    int64_t count, tokens, embed;
    float *planes;      /* (count, 3, side, side) */
    const uint8_t *rgb; /* or NULL */
    GString *report;
    double worst; /* largest deviation as a share of what is allowed */
} Case;

static const char *meta(const Case *k, const char *key) {
    const char *text = rmil_tensors_metadata(k->file, key);
    return text ? text : "";
}

static gboolean read_triple(const Case *k, const char *key, double values[3], GError **error) {
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!json_parser_load_from_data(parser, meta(k, key), -1, error)) return FALSE;
    JsonArray *array = json_node_get_array(json_parser_get_root(parser));
    for (guint c = 0; c < 3; c++) values[c] = json_array_get_double_element(array, c);
    return TRUE;
}

static RmilPositionRule rule_of(const char *interp) {
    if (strstr(interp, "by scale")) return RMIL_POSITION_SCALE;
    return strstr(interp, "no antialias") ? RMIL_POSITION_SIZE : RMIL_POSITION_ANTIALIAS;
}

/* The weights of a case are what is neither its input nor what is expected of it. */
static RmilTensors *own_weights(const RmilTensors *file, GError **error) {
    g_autoptr(RmilTensors) weights = rmil_tensors_new(rmil_tensors_path(file));
    for (int64_t i = 0; i < rmil_tensors_count(file); i++) {
        const RmilTensor *t = rmil_tensors_at(file, i);
        if (g_str_has_prefix(t->name, "input") || g_str_has_prefix(t->name, "expect.")) continue;
        if (!rmil_tensors_add(weights, t->name, t->dtype, t->rank, t->shape, t->data, error)) return NULL;
    }
    return g_steal_pointer(&weights);
}

static gboolean read_case(Case *k, const char *folder, const char *name, GError **error) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    if (!(k->file = rmil_safetensors_read(path, (gsize)1 << 30, error))) return FALSE;
    if (*meta(k, "weights_file")) {
        g_autofree char *beside = g_build_filename(folder, meta(k, "weights_file"), NULL);
        k->weights = rmil_weights_read(beside, NULL, error);
    } else {
        k->weights = own_weights(k->file, error);
    }
    if (!k->weights) return FALSE;
    const RmilTensor *input = rmil_tensors_find(k->file, "input"), *bytes = rmil_tensors_find(k->file, "input_u8"),
                     *expected = rmil_tensors_find(k->file, "expect.tokens"), *pixels = input ? input : bytes;
    if (!expected || expected->rank != 3 || !pixels || pixels->rank != 4 || (bytes && bytes->dtype != RMIL_DTYPE_U8))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "has no input or no expect.tokens");
    k->count = pixels->shape[0];
    k->tokens = expected->shape[1];
    k->embed = expected->shape[2];
    k->config = (RmilVitConfig){.heads = atoi(meta(k, "heads")),
                                .side = (int)pixels->shape[2],
                                .grid = atoi(meta(k, "pos_grid")),
                                .eps = g_ascii_strtod(meta(k, "eps"), NULL),
                                .rule = rule_of(meta(k, "interp")),
                                .workers = 1};
    if (!read_triple(k, "mean", k->config.mean, error) || !read_triple(k, "std", k->config.sd, error)) return FALSE;
    k->planes = g_new(float, pixels->count);
    if (input) {
        rmil_tensor_floats(input, k->planes);
        return TRUE;
    }
    k->rgb = bytes->data;
    const int64_t plane = pixels->shape[1] * pixels->shape[2];
    for (int64_t i = 0; i < pixels->count; i++) {
        const int64_t c = i % 3, at = i / 3 % plane, tile = i / 3 / plane;
        k->planes[(tile * 3 + c) * plane + at] = (float)((k->rgb[i] / 255.0 - k->config.mean[c]) / k->config.sd[c]);
    }
    return TRUE;
}

/* Rows of numbers against the tensor of that name: within 2e-5 of its largest; of bfloat16 the cosine of each row. */
static void compare(Case *k, const char *name, const float *values, int64_t count, int64_t row) {
    const RmilTensor *tensor = rmil_tensors_find(k->file, name);
    if (!tensor || tensor->count != count) {
        g_string_append_printf(k->report, " %s is missing, or has another size;", name);
        return;
    }
    g_autofree float *expected = g_new(float, count);
    rmil_tensor_floats(tensor, expected);
    double off = 0, top = 0, allowed = 1 - 0.999;
    for (int64_t i = 0; i < count; i += row) {
        double product = 0, norm = 0, norm_expected = 0;
        for (int64_t j = i; j < i + row; j++) {
            const double value = (double)values[j], wanted = (double)expected[j];
            product += value * wanted;
            norm += value * value;
            norm_expected += wanted * wanted;
            top = fmax(top, fabs(wanted));
            if (k->config.precision == RMIL_FLOAT32) off = isfinite(value) ? fmax(off, fabs(value - wanted)) : INFINITY;
        }
        if (k->config.precision == RMIL_BFLOAT16) off = fmax(off, 1 - product / sqrt(norm * norm_expected));
        if (!isfinite(product)) off = INFINITY;
    }
    if (k->config.precision == RMIL_FLOAT32) allowed = 2e-5 * top;
    k->worst = MAX(k->worst, off / MAX(allowed, 1e-30));
    if (!(off <= allowed)) g_string_append_printf(k->report, " %s is off by %.2g (%.2g allowed);", name, off, allowed);
}

/* Features of tiles of bytes, by every pooling. */
static gboolean compare_features(Case *k, const RmilVitWeights *weights, GError **error) {
    static const struct {
        RmilVitPooling pooling;
        const char *name;
        int64_t times;
    } all[] = {{RMIL_VIT_CLASS, "expect.cls", 1}, {RMIL_VIT_MEAN, "expect.mean", 1}, {RMIL_VIT_CLASS_MEAN, "expect.clsmean", 2}};
    g_autofree float *features = g_new(float, k->count * k->embed * 2);
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        k->config.pooling = all[i].pooling;
        g_autoptr(RmilVit) vit = rmil_vit_new(weights, &k->config, error);
        if (!vit) return FALSE;
        rmil_vit_run(vit, 0, k->rgb, (int)k->count, features);
        compare(k, all[i].name, features, k->count * k->embed * all[i].times, k->embed * all[i].times);
    }
    return TRUE;
}

static gboolean run(Case *k, const RmilVitWeights *weights, GError **error) {
    g_autoptr(RmilVit) vit = rmil_vit_new(weights, &k->config, error);
    if (!vit) return FALSE;
    if (rmil_vit_tokens(vit) != k->tokens || rmil_vit_dim(vit) != k->embed)
        return rmil_fail(error, RMIL_ERROR_DATA, "%d tokens of %d numbers where %d of %d are expected", (int)rmil_vit_tokens(vit),
                         rmil_vit_dim(vit), (int)k->tokens, (int)k->embed);
    const int64_t count = k->count * k->tokens * k->embed, before = k->tokens - rmil_vit_patches(vit);
    g_autofree float *tokens = g_new(float, count), *classes = g_new(float, k->count * k->embed),
                     *means = g_new0(float, k->count * k->embed);
    rmil_vit_look(vit, 0, k->planes, (int)k->count, tokens);
    for (int64_t tile = 0; tile < k->count; tile++)
        for (int64_t i = 0; i < k->embed; i++) {
            const float *of = tokens + tile * k->tokens * k->embed + i;
            double sum = 0;
            for (int64_t t = before; t < k->tokens; t++) sum += (double)of[t * k->embed];
            classes[tile * k->embed + i] = of[0];
            means[tile * k->embed + i] = (float)(sum / (double)(k->tokens - before));
        }
    if (k->config.precision == RMIL_FLOAT32) compare(k, "expect.tokens", tokens, count, k->embed);
    compare(k, "expect.cls", classes, k->count * k->embed, k->embed);
    compare(k, "expect.mean", means, k->count * k->embed, k->embed);
    return !k->rgb || compare_features(k, weights, error);
}

static void check(Conformance *c, const char *folder, const char *name) {
    g_autofree char *title = g_strdup_printf("vit/%s", name);
    g_autoptr(GError) error = NULL;
    Case k = {.report = g_string_new(NULL)};
    gboolean done = read_case(&k, folder, name, &error);
    g_autoptr(RmilVitWeights) weights = done ? rmil_vit_weights_new(k.weights, &error) : NULL;
    done = weights && run(&k, weights, &error);
    const double plain = k.worst;
    const char *also = "no bfloat16 in this processor";
    if (done && rmil_product_can(RMIL_BFLOAT16, NULL)) {
        k.config.precision = RMIL_BFLOAT16;
        k.config.pooling = RMIL_VIT_CLASS;
        k.worst = 0;
        done = run(&k, weights, &error);
        also = "this processor cannot multiply in bfloat16 (that needs AVX-512 BF16): use float32";
    }
    if (!done) conformance_case(c, FALSE, title, "%s", error->message);
    else if (k.report->len) conformance_case(c, FALSE, title, "%s", k.report->str);
    else conformance_case(c, TRUE, title, "largest deviation is %.2g of what is allowed, %.2g %s", plain, k.worst, also);
    g_free(k.planes);
    g_string_free(k.report, TRUE);
    rmil_tensors_free(k.weights);
    rmil_tensors_free(k.file);
}

void conformance_vit(Conformance *c, const char *path) {
    g_autoptr(GPtrArray) names = conformance_files(path, ".safetensors");
    for (guint i = 0; i < names->len; i++) check(c, path, names->pdata[i]);
}
