/* SPDX-License-Identifier: Apache-2.0 */
/* The runs of a plan, as jobs. */
#include "jobs.h"

#include "suggest.h"

#include "base/base-private.h"
#include "mil/model.h"

#include <string.h>

static void job_free(gpointer data) {
    RmilJob *job = data;
    rmil_varied_data_clear(&job->data);
    g_free((char *)job->planned.key);
    g_free(job->annotations);
    g_free(job->config);
    g_free(job->training);
    g_free(job);
}

static RmilJob *job_new(const RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainMethod *method, guint v,
                        const RmilRepeat *repeat, GArray *const *orders, const RmilTrainOptions *options, GError **error) {
    RmilJob *job = g_new0(RmilJob, 1);
    *job = (RmilJob){.method = method,
                     .repeat = repeat,
                     .planned = rmil_plan_run(plan, method, v, repeat),
                     .run = {.data = data, .splits = repeat->splits},
                     .data = {.data = data, .repeat = repeat, .paddings = jobs->grown}};
    for (RmilOrder k = 0; k < RMIL_ORDERS; k++)
        if (orders[k])
            job->data.orders[k] = &g_array_index(orders[k], RmilSuggested,
                                                 (guint)(repeat - (const RmilRepeat *)(void *)jobs->repeats->data));
    if (!rmil_train_options_configure(options, method, &job->run.model, &job->run.train, error)) {
        job_free(job);
        return NULL;
    }
    job->run.model.dim = data->set->dim;
    job->run.model.task = data->cohort->task;
    job->run.train.seed = (uint64_t)repeat->seed;
    rmil_vary_data(&job->data, job->planned.varied, rmil_model_annotated(&job->run.model));
    if (job->data.splits) job->run.splits = job->data.splits;
    job->run.annotations = job->annotations = rmil_varied_data_annotations(&job->data);
    g_autofree char *training = rmil_train_run_config(&job->run);
    job->training = g_compute_checksum_for_string(G_CHECKSUM_SHA256, training, -1);
    job->run.varied = job->planned.varied;
    job->config = rmil_train_run_config(&job->run);
    g_autofree char *keyed = g_strdup_printf("%s\n%s\n%s", method->name, repeat->name, job->config);
    job->planned.key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, keyed, -1);
    return job;
}

/* The annotations with each padding, if the plan varies it. */
static gboolean grow(RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const char *padded, const RmilMonitor *monitor,
                     GError **error) {
    int64_t count;
    const double *paddings = rmil_study_plan_values(plan, "padding", &count);
    for (int64_t i = 0; i < count; i++) {
        g_autofree char *name = rmil_padding_name(paddings[i]), *folder = padded ? g_build_filename(padded, name, NULL) : NULL;
        rmil_monitor_progress(monitor, "padded annotations", i, count);
        RmilGrown *grown = rmil_grown_new(data, paddings[i], folder, error);
        if (!grown) return FALSE;
        g_ptr_array_add(jobs->grown, grown);
    }
    return TRUE;
}

/* For one method, the orders in which a pathologist who follows its models would annotate slides, as far as the plan asks for them: one per
 * repeat. */
static gboolean suggest(RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                        const RmilTrainMethod *method, const RmilMonitor *monitor, GArray **orders, GError **error) {
    int64_t count;
    const RmilPlanAxis *axis = rmil_plan_axis(plan, "annotate-order");
    RmilModelConfig config;
    if (!rmil_method_config_init(method, &config, error)) return FALSE;
    if (!axis || !rmil_model_annotated(&config)) return TRUE; /* its training does not depend on annotations */
    RmilTrainOptions options;
    const double *shares = rmil_study_plan_values(plan, "annotated", &count);
    gboolean done = rmil_plan_options(plan, method, 0, base, &options, error);
    for (guint i = 0; done && i < axis->texts->len; i++) {
        const RmilOrder order = rmil_order_find(axis->texts->pdata[i]);
        if (order == RMIL_ORDER_RANDOM) continue;
        orders[order] = rmil_suggest(order, data, jobs->repeats, method, &options, shares, count, monitor, error);
        done = orders[order] != NULL;
        if (done) g_ptr_array_add(jobs->suggested, orders[order]);
    }
    rmil_train_options_clear(&options);
    return done;
}

static gboolean add_method(RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                           const RmilTrainMethod *method, const RmilMonitor *monitor, GError **error) {
    GArray *orders[RMIL_ORDERS] = {NULL};
    gboolean done = suggest(jobs, plan, data, base, method, monitor, orders, error);
    for (guint v = 0; done && v < rmil_plan_cells(plan); v++) {
        RmilTrainOptions options;
        done = rmil_plan_options(plan, method, v, base, &options, error);
        for (guint r = 0; done && r < jobs->repeats->len; r++) {
            RmilJob *job = job_new(jobs, plan, data, method, v, &g_array_index(jobs->repeats, RmilRepeat, r), orders, &options, error);
            done = job != NULL;
            if (done) g_ptr_array_add(jobs->list, job);
        }
        rmil_train_options_clear(&options);
    }
    return done;
}

RmilJobs *rmil_jobs_new(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base, const char *padded,
                        const RmilMonitor *monitor, GError **error) {
    g_autoptr(RmilJobs) jobs = g_new0(RmilJobs, 1);
    jobs->list = g_ptr_array_new_with_free_func(job_free);
    jobs->grown = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_grown_free);
    jobs->suggested = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    jobs->repeats = rmil_study_plan_repeats(plan, data->cohort, base, error);
    if (!jobs->repeats || !grow(jobs, plan, data, padded, monitor, error)) return NULL;
    for (guint m = 0; m < plan->methods->len; m++)
        if (!add_method(jobs, plan, data, base, plan->methods->pdata[m], monitor, error)) return NULL;
    return g_steal_pointer(&jobs);
}

void rmil_jobs_free(RmilJobs *jobs) {
    if (!jobs) return;
    g_ptr_array_unref(jobs->list);
    g_ptr_array_unref(jobs->grown);
    g_ptr_array_unref(jobs->suggested);
    if (jobs->repeats) g_array_unref(jobs->repeats);
    g_free(jobs);
}
