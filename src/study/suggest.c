/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated pathologist who annotates slides in an order that the models suggest. */
#include "suggest.h"

#include "base/base-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 3 };
#define MEMBER_SEED 0x5eed00000000u /* different from the seeds of the compared runs */

double rmil_suggest_doubt(double said, double spread) { return (isfinite(said) ? 1 - said : 0) + (isfinite(spread) ? 2 * spread : 0); }

typedef struct {
    RmilOrder order;
    const RmilTrainData *data;
    const GArray *repeats;
    const RmilTrainMethod *method;
    const RmilTrainOptions *options;
    double *shares; /* ascending */
    int64_t count;
    GArray *out;
    const RmilMonitor *monitor;
    GMutex lock;
    int64_t trained;
} Suggesting;

typedef struct {
    int64_t row;
    double priority;
} Candidate;

/* -- one repeat ------------------------------------------------------------------------------------------------------------------------ */
static gboolean is_candidate(const Suggesting *s, const RmilRepeat *repeat, int64_t row) {
    const RmilBag *bag = s->data->bags[row];
    return bag && repeat->splits[row] == RMIL_SPLIT_TRAIN && rmil_target_lesion(&s->data->cohort->task, &s->data->targets[row]) &&
           bag->patch_labels && memchr(bag->patch_labels, 1, (size_t)bag->count);
}

static RmilModel *train_member(const Suggesting *s, const RmilRepeat *repeat, const RmilVariant *variant, int member, GError **error) {
    RmilTrainRun run = {.data = s->data, .splits = repeat->splits, .bags = variant->bags};
    const RmilMonitor silent = {0};
    if (!rmil_train_options_configure(s->options, s->method, &run.model, &run.train, error)) return NULL;
    run.model.dim = s->data->set->dim;
    run.model.task = s->data->cohort->task;
    run.train.seed = ((uint64_t)repeat->seed * MEMBERS + (uint64_t)member) ^ MEMBER_SEED;
    run.train.threads = 1;
    return rmil_train_run(&run, NULL, NULL, &silent, error);
}

/* The probability of the true class; for other tasks the prediction. */
static double said_of(const RmilTask *task, const RmilTarget *target, const RmilPrediction *said) {
    if (task->kind != RMIL_TASK_CLASSES) return said->answer;
    if (task->classes == 2) return target->label ? said->probability : 1 - said->probability;
    return said->values[target->label];
}

/* The priorities of the rows, from the members. */
static gboolean ask_members(const Suggesting *s, RmilModel *const *members, GArray *candidates, GError **error) {
    const RmilTask *task = &s->data->cohort->task;
    for (guint i = 0; i < candidates->len; i++) {
        Candidate *c = &g_array_index(candidates, Candidate, i);
        double sum = 0, squares = 0;
        for (int m = 0; m < MEMBERS; m++) {
            RmilPrediction said;
            if (!rmil_model_predict(members[m], s->data->bags[c->row], NULL, &said, NULL, NULL, error)) return FALSE;
            const double value = said_of(task, &s->data->targets[c->row], &said);
            sum += value;
            squares += value * value;
        }
        const double mean = sum / MEMBERS, spread = sqrt(MAX(squares / MEMBERS - mean * mean, 0));
        const double sure = task->kind == RMIL_TASK_CLASSES ? mean : NAN;
        c->priority = s->order == RMIL_ORDER_WRONG ? rmil_suggest_doubt(sure, spread) : isnan(sure) ? 0 : sure;
    }
    return TRUE;
}

static gint compare(gconstpointer a, gconstpointer b, gpointer user) {
    const Candidate *p = a, *q = b;
    const RmilTrainData *data = user;
    if (p->priority != q->priority) return p->priority < q->priority ? 1 : -1;
    return strcmp(data->cohort->rows[p->row].id, data->cohort->rows[q->row].id);
}

/* Candidates without a position, highest priority first. */
static GArray *rank_rest(Suggesting *s, const RmilRepeat *repeat, const int64_t *place, const gboolean *kept, GError **error) {
    RmilVariant variant = {NULL, NULL, NULL};
    const RmilAnnotating how = {NULL, kept, 0, repeat->seed};
    RmilModel *members[MEMBERS] = {NULL};
    g_autoptr(GArray) rest = g_array_new(FALSE, FALSE, sizeof(Candidate));
    gboolean done = rmil_variant_init(&variant, s->data, repeat->splits, &how, error);
    for (int m = 0; done && m < MEMBERS; m++) done = (members[m] = train_member(s, repeat, &variant, m, error)) != NULL;
    for (int64_t i = 0; i < s->data->count; i++) {
        const Candidate one = {i, 0};
        if (is_candidate(s, repeat, i) && place[i] < 0) g_array_append_val(rest, one);
    }
    done = done && ask_members(s, members, rest, error);
    for (int m = 0; m < MEMBERS; m++) rmil_model_free(members[m]);
    rmil_variant_clear(&variant);
    g_array_sort_with_data(rest, compare, (gpointer)s->data);
    g_mutex_lock(&s->lock);
    rmil_monitor_progress(s->monitor, "suggested order", ++s->trained, s->repeats->len * s->count);
    g_mutex_unlock(&s->lock);
    return done ? g_steal_pointer(&rest) : NULL;
}

static gboolean order_repeat(int64_t index, int worker, gpointer user, GError **error) {
    Suggesting *s = user;
    RmilSuggested *out = &g_array_index(s->out, RmilSuggested, index);
    const RmilRepeat *repeat = out->repeat = &g_array_index(s->repeats, RmilRepeat, index);
    g_autofree gboolean *kept = g_new0(gboolean, s->data->count);
    int64_t candidates = 0, placed = 0;
    out->place = g_new(int64_t, s->data->count);
    for (int64_t i = 0; i < s->data->count; i++) {
        out->place[i] = -1;
        candidates += is_candidate(s, repeat, i);
    }
    for (int64_t v = 0; v < s->count && placed < candidates; v++) {
        const int64_t share = (int64_t)floor(s->shares[v] * (double)candidates + 0.5),
                      wanted = v + 1 < s->count ? MAX(share, s->shares[v] > 0) : candidates;
        if (wanted <= placed) continue;
        /* as many validation slides are annotated as with a drawn order */
        rmil_vary_suggested(s->data, repeat, candidates ? (double)placed / (double)candidates : 0, out, kept);
        g_autoptr(GArray) rest = rank_rest(s, repeat, out->place, kept, error);
        if (!rest) return FALSE;
        for (guint i = 0; i < rest->len && placed < wanted; i++) out->place[g_array_index(rest, Candidate, i).row] = placed++;
    }
    return TRUE;
}

/* -- all repeats ----------------------------------------------------------------------------------------------------------------------- */
static int compare_shares(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void clear_suggested(gpointer data) { g_free(((RmilSuggested *)data)->place); }

GArray *rmil_suggest(RmilOrder order, const RmilTrainData *data, const GArray *repeats, const RmilTrainMethod *method,
                     const RmilTrainOptions *options, const double *shares, int64_t count, const RmilMonitor *monitor, GError **error) {
    static const double all[] = {0.1, 0.2, 0.4, 0.6, 0.8, 1};
    const int64_t n = count ? count : (int64_t)G_N_ELEMENTS(all);
    g_autofree double *sorted = g_memdup2(count ? shares : all, (gsize)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_shares);
    g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(RmilSuggested));
    g_array_set_clear_func(out, clear_suggested);
    g_array_set_size(out, repeats->len);
    Suggesting s = {.order = order,
                    .data = data,
                    .repeats = repeats,
                    .method = method,
                    .options = options,
                    .shares = sorted,
                    .count = n,
                    .out = out,
                    .monitor = monitor};
    g_mutex_init(&s.lock);
    const gboolean done = rmil_parallel(repeats->len, 0, order_repeat, &s, error);
    g_mutex_clear(&s.lock);
    return done ? g_steal_pointer(&out) : NULL;
}
