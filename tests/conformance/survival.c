/* SPDX-License-Identifier: Apache-2.0 */
/* tasks/survival.json: scikit-survival, lifelines, PyTorch (MCAT's losses), SciPy. */
#include "tasks.h"

#include <math.h>
#include <string.h>

/* time and event of a case or of its training set, as far as both have numbers. */
typedef struct {
    int64_t n;
    double *time;
    gboolean *event;
} Times;

static Times read_times(JsonObject *one, const char *time, const char *event) {
    int64_t n, count;
    Times times = {.time = task_numbers(one, time, &n), .event = task_integers(one, event, &count)};
    times.n = MIN(n, count);
    return times;
}

static void clear_times(Times *times) {
    g_free(times->time);
    g_free(times->event);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Times, clear_times)

static void compare_concordance(TaskDeviation *deviation, JsonObject *expect, const RmilConcordance *found) {
    task_compare_member(deviation, expect, "c_index", found->c_index);
    task_compare_member(deviation, expect, "concordant", (double)found->concordant);
    task_compare_member(deviation, expect, "discordant", (double)found->discordant);
    task_compare_member(deviation, expect, "tied_risk", (double)found->tied_risk);
    task_compare_member(deviation, expect, "tied_time", (double)found->tied_time);
}

static void check_c_index(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    int64_t n;
    RmilConcordance found;
    g_auto(Times) test = read_times(one, "time", "event");
    g_autofree double *risk = task_numbers(one, "risk", &n);
    rmil_c_index(test.time, test.event, risk, MIN(n, test.n), &found);
    compare_concordance(deviation, expect, &found);
}

static void check_uno(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    int64_t n;
    RmilConcordance found;
    g_auto(Times) train = read_times(one, "train_time", "train_event");
    g_auto(Times) test = read_times(one, "time", "event");
    g_autofree double *risk = task_numbers(one, "risk", &n);
    const double tau = task_number(one, "tau");
    rmil_uno_c_index(train.time, train.event, train.n, test.time, test.event, risk, MIN(n, test.n), isnan(tau) ? INFINITY : tau, &found);
    compare_concordance(deviation, expect, &found);
}

static void check_kaplan_meier(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    static const char *const members[] = {"times", "at_risk", "events", "survival", "greenwood_se", "lower", "upper"};
    enum { MEMBERS = G_N_ELEMENTS(members) };
    g_auto(Times) test = read_times(one, "time", "event");
    g_autoptr(GArray) curve = rmil_kaplan_meier(test.time, test.event, test.n, 0.95);
    g_autofree double *values = g_new0(double, (gsize)curve->len *MEMBERS + 1);
    for (guint i = 0; i < curve->len; i++) {
        const RmilSurvivalPoint *p = &g_array_index(curve, RmilSurvivalPoint, i);
        const double row[MEMBERS] = {p->time, (double)p->at_risk, (double)p->events, p->survival, p->se, p->low, p->high};
        for (guint m = 0; m < MEMBERS; m++) values[m * curve->len + i] = row[m];
    }
    for (guint m = 0; m < MEMBERS; m++) task_compare_list(deviation, expect, members[m], values + m * curve->len, curve->len);
    task_compare_member(deviation, expect, "median", rmil_survival_median(curve));
}

static void check_logrank(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    int64_t n;
    int groups = 0, degrees;
    double chi_squared, p;
    g_auto(Times) test = read_times(one, "time", "event");
    g_autofree int *group = task_integers(one, "group", &n);
    for (int64_t i = 0; i < n; i++) groups = MAX(groups, group[i] + 1);
    rmil_logrank(test.time, test.event, group, MIN(n, test.n), groups, &chi_squared, &degrees, &p);
    task_compare(deviation, "chi2", 0.01 * chi_squared, 0.01 * task_number(expect, "chi2")); /* within 1e-7 */
    task_compare(deviation, "p", 0.01 * p, 0.01 * task_number(expect, "p"));
    task_compare_member(deviation, expect, "df", degrees);
}

static void check_cox(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    static const char *const ties[] = {"breslow", "efron"};
    int64_t n;
    g_auto(Times) test = read_times(one, "time", "event");
    g_autofree double *risk = task_numbers(one, "risk", &n), *gradient = g_new0(double, (gsize)n + 1);
    for (int efron = 0; efron < 2; efron++) {
        JsonObject *wanted = json_object_get_object_member(expect, ties[efron]);
        task_compare_member(deviation, wanted, "loss_sum", rmil_cox_loss(risk, test.time, test.event, MIN(n, test.n), efron, gradient));
        task_compare_list(deviation, wanted, "gradient_sum", gradient, n);
    }
}

static void check_hazard(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    int64_t n, bins, count;
    g_autofree double *logits = task_rows(one, "logits", &n, &bins);
    g_autofree int *bin = task_integers(one, "bin", &count), *censored = task_integers(one, "censored", &count);
    if (count != n || bins < 1) {
        task_compare(deviation, "sizes", NAN, 0);
        return;
    }
    g_autofree double *gradient = g_new0(double, (gsize)(n * bins) + 1), *survival = g_new0(double, (gsize)(n * bins) + 1),
                      *risk = g_new0(double, (gsize)n + 1);
    double loss = 0;
    for (int64_t i = 0; i < n; i++) {
        loss += rmil_hazard_loss(logits + i * bins, (int)bins, bin[i], !censored[i], task_number(one, "alpha"), gradient + i * bins);
        risk[i] = rmil_hazard_risk(logits + i * bins, (int)bins, survival + i * bins);
    }
    for (int64_t k = 0; k < n * bins; k++) gradient[k] /= (double)n;
    task_compare_member(deviation, expect, "loss", loss / (double)n);
    task_compare_list(deviation, expect, "gradient", gradient, n * bins);
    task_compare_list(deviation, expect, "survival", survival, n * bins);
    task_compare_list(deviation, expect, "risk", risk, n);
}

static void check_bins(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    const int bins = (int)json_object_get_int_member(one, "bins");
    g_auto(Times) test = read_times(one, "time", "event");
    g_autofree double *edges = g_new0(double, (gsize)MAX(bins, 0) + 2), *label = g_new0(double, (gsize)test.n + 1);
    if (!rmil_time_bins(test.time, test.event, test.n, bins, edges)) edges[0] = NAN;
    for (int64_t i = 0; i < test.n; i++) label[i] = rmil_time_bin(edges, bins, test.time[i]);
    task_compare_list(deviation, expect, "edges", edges, bins + 1);
    task_compare_list(deviation, expect, "label", label, test.n);
}

static void check_brier(TaskDeviation *deviation, JsonObject *one, JsonObject *expect) {
    int64_t n_times, rows, columns;
    g_auto(Times) train = read_times(one, "train_time", "train_event");
    g_auto(Times) test = read_times(one, "time", "event");
    g_autofree double *times = task_numbers(one, "times", &n_times), *survival = task_rows(one, "survival", &rows, &columns),
                      *brier = g_new0(double, (gsize)n_times + 1);
    if (rows != test.n || columns != n_times) {
        task_compare(deviation, "sizes", NAN, 0);
        return;
    }
    const double integrated = rmil_integrated_brier(train.time, train.event, train.n, test.time, test.event, test.n, times, (int)n_times,
                                                    survival, brier);
    task_compare_member(deviation, expect, "integrated", integrated);
    task_compare_list(deviation, expect, "brier", brier, n_times);
}

static void check_survival(Conformance *c, JsonObject *one, const char *name) {
    static const struct {
        const char *kind;
        void (*check)(TaskDeviation *, JsonObject *, JsonObject *);
    } kinds[] = {{"c_index", check_c_index},        {"uno", check_uno},  {"kaplan_meier", check_kaplan_meier},
                 {"logrank", check_logrank},        {"cox", check_cox},  {"discrete_hazard", check_hazard},
                 {"integrated_brier", check_brier}, {"bins", check_bins}};
    TaskDeviation deviation = {0};
    const char *kind = json_object_get_string_member_with_default(one, "kind", "");
    gboolean known = FALSE;
    for (gsize k = 0; k < G_N_ELEMENTS(kinds) && !known; k++) {
        known = strcmp(kind, kinds[k].kind) == 0;
        if (known) kinds[k].check(&deviation, one, json_object_get_object_member(one, "expect"));
    }
    if (!known) task_compare(&deviation, "an unknown kind", NAN, 0);
    task_report(c, "survival", name, &deviation, 1e-9);
}

void conformance_survival(Conformance *c, const char *path) { task_each(c, path, check_survival); }
