/* SPDX-License-Identifier: Apache-2.0 */
/* stats.json: ranking metrics of scikit-learn, Mann-Whitney U of SciPy. */
#include "conformance.h"

#include <json-glib/json-glib.h>
#include <math.h>

static double *numbers(JsonObject *object, const char *member, int64_t *n) {
    JsonArray *array = json_object_get_array_member(object, member);
    *n = json_array_get_length(array);
    double *values = g_new0(double, (gsize)*n + 1);
    for (int64_t i = 0; i < *n; i++) values[i] = json_array_get_double_element(array, (guint)i);
    return values;
}

static void check_ranking(Conformance *c, JsonObject *object, const char *name) {
    int64_t n, n_scores;
    g_autofree double *given = numbers(object, "label", &n), *scores = numbers(object, "score", &n_scores);
    g_autofree int *labels = g_new0(int, (gsize)n + 1);
    for (int64_t i = 0; i < n; i++) labels[i] = (int)given[i];
    RmilMetrics metrics;
    rmil_metrics(labels, scores, MIN(n, n_scores), 0.5, &metrics);
    double worst = 0;
    const struct {
        const char *member;
        double value;
    } pairs[] = {{"auroc", metrics.auroc},
                 {"auprc_trapezoid", metrics.auprc},
                 {"average_precision", metrics.average_precision},
                 {"accuracy_at_0.5", metrics.accuracy}};
    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        double off = fabs(pairs[i].value - json_object_get_double_member(object, pairs[i].member));
        worst = isnan(off) ? INFINITY : MAX(worst, off);
    }
    conformance_case(c, n == n_scores && worst <= 1e-9, name, "%d cases, largest deviation %.1e", (int)n, worst);
}

static void check_mann_whitney(Conformance *c, JsonObject *object, const char *name) {
    int64_t nx, ny;
    g_autofree double *x = numbers(object, "x", &nx), *y = numbers(object, "y", &ny);
    double u, p;
    rmil_mann_whitney(x, nx, y, ny, &u, &p);
    double off_u = fabs(u - json_object_get_double_member(object, "U"));
    double off_p = fabs(p - json_object_get_double_member(object, "p_two_sided_auto"));
    conformance_case(c, off_u <= 1e-9 && off_p <= 1e-7, name, "%d and %d values, deviation of U %.1e, of p %.1e", (int)nx, (int)ny, off_u,
                     off_p);
}

void conformance_stats(Conformance *c, const char *path) {
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    if (!json_parser_load_from_file(parser, path, &error)) {
        conformance_case(c, FALSE, "stats", "%s", error->message);
        return;
    }
    JsonObject *root = json_node_get_object(json_parser_get_root(parser));
    const struct {
        const char *member;
        void (*check)(Conformance *, JsonObject *, const char *);
    } parts[] = {{"ranking", check_ranking}, {"mann_whitney", check_mann_whitney}};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        JsonArray *cases = json_object_has_member(root, parts[i].member) ? json_object_get_array_member(root, parts[i].member) : NULL;
        for (guint k = 0; cases && k < json_array_get_length(cases); k++) {
            g_autofree char *name = g_strdup_printf("stats/%s/%u", parts[i].member, k);
            parts[i].check(c, json_array_get_object_element(cases, k), name);
        }
    }
}
