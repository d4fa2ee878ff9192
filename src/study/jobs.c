/* The runs of a plan, as jobs. */
#include "jobs.h"

#include "base/base-private.h"

#include <string.h>

static void job_free(gpointer data) {
    RmilJob *job = data;
    g_free(job->splits);
    g_free(job->kept);
    g_free(job->annotations);
    g_free(job->config);
    g_free(job->key);
    g_free(job->training);
    g_free(job);
}

static char *mask_identity(const RmilTrainData *data, const gboolean *kept) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (int64_t i = 0; i < data->count; i++)
        if (kept[i]) g_checksum_update(sum, (const guchar *)data->cohort->rows[i].id, (gssize)strlen(data->cohort->rows[i].id) + 1);
    return g_strdup(g_checksum_get_string(sum));
}

static RmilJob *job_new(const RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainMethod *method, guint v,
                        const RmilRepeat *repeat, const RmilTrainOptions *options, GError **error) {
    const char *variable = plan->variable;
    RmilJob *job = g_new0(RmilJob, 1);
    *job = (RmilJob){.method = method,
                     .value = g_array_index(plan->values, double, v),
                     .repeat = repeat,
                     .run = {.data = data, .splits = repeat->splits}};
    if (!rmil_train_options_configure(options, method, &job->run.model, &job->run.train, error)) {
        job_free(job);
        return NULL;
    }
    job->run.model.dim = data->set->dim;
    job->run.train.seed = (uint64_t)repeat->seed;
    if (strcmp(variable, "threshold") == 0) job->run.model.threshold = job->value;
    if (strcmp(variable, "fraction") == 0) {
        job->run.splits = job->splits = g_new0(RmilSplit, data->count);
        rmil_vary_fraction(data, repeat, job->value, job->splits);
    }
    const gboolean guided = job->run.model.guide != RMIL_GUIDE_NONE; /* nothing else in training looks at annotations */
    if (guided && strcmp(variable, "annotated") == 0) {
        job->kept = g_new0(gboolean, data->count);
        rmil_vary_annotated(data, repeat, job->value, job->kept);
        job->run.annotations = job->annotations = mask_identity(data, job->kept);
    }
    if (guided && jobs->grown->len) {
        job->grown = jobs->grown->pdata[v];
        job->run.annotations = job->annotations = g_strdup(job->grown->identity);
    }
    g_autofree char *training = rmil_train_run_config(&job->run);
    job->training = g_compute_checksum_for_string(G_CHECKSUM_SHA256, training, -1);
    if (*variable) {
        job->run.variable = variable;
        job->run.value = job->value;
    }
    job->config = rmil_train_run_config(&job->run);
    g_autofree char *keyed = g_strdup_printf("%s\n%s\n%s", method->name, repeat->name, job->config);
    job->key = g_compute_checksum_for_string(G_CHECKSUM_SHA256, keyed, -1);
    return job;
}

/* What the paddings make of the annotations, where the plan varies them. */
static gboolean grow(RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const char *padded, const RmilMonitor *monitor,
                     GError **error) {
    for (guint v = 0; strcmp(plan->variable, "padding") == 0 && v < plan->values->len; v++) {
        const double padding = g_array_index(plan->values, double, v);
        g_autofree char *name = rmil_padding_name(padding), *folder = padded ? g_build_filename(padded, name, NULL) : NULL;
        rmil_monitor_progress(monitor, "study: annotations", v, plan->values->len);
        RmilGrown *grown = rmil_grown_new(data, padding, folder, error);
        if (!grown) return FALSE;
        g_ptr_array_add(jobs->grown, grown);
    }
    return TRUE;
}

static gboolean add_method(RmilJobs *jobs, const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                           const RmilTrainMethod *method, GError **error) {
    RmilTrainOptions options;
    gboolean done = rmil_plan_options(plan, method, base, &options, error);
    for (guint v = 0; done && v < plan->values->len; v++)
        for (guint r = 0; done && r < jobs->repeats->len; r++) {
            RmilJob *job = job_new(jobs, plan, data, method, v, &g_array_index(jobs->repeats, RmilRepeat, r), &options, error);
            done = job != NULL;
            if (done) g_ptr_array_add(jobs->list, job);
        }
    rmil_train_options_clear(&options);
    return done;
}

RmilJobs *rmil_jobs_new(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base, const char *padded,
                        const RmilMonitor *monitor, GError **error) {
    g_autoptr(RmilJobs) jobs = g_new0(RmilJobs, 1);
    jobs->list = g_ptr_array_new_with_free_func(job_free);
    jobs->grown = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_grown_free);
    jobs->repeats = rmil_study_plan_repeats(plan, data->cohort, base, error);
    if (!jobs->repeats || !grow(jobs, plan, data, padded, monitor, error)) return NULL;
    for (guint m = 0; m < plan->methods->len; m++)
        if (!add_method(jobs, plan, data, base, plan->methods->pdata[m], error)) return NULL;
    return g_steal_pointer(&jobs);
}

void rmil_jobs_free(RmilJobs *jobs) {
    if (!jobs) return;
    g_ptr_array_unref(jobs->list);
    g_ptr_array_unref(jobs->grown);
    if (jobs->repeats) g_array_unref(jobs->repeats);
    g_free(jobs);
}
