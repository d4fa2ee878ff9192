/* Runs a plan: every run that is not recorded yet, as many at once as there are threads. */
#include "jobs.h"
#include "record.h"

#include "base/base-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

typedef struct _Runner {
    const RmilStudyPlan *plan;
    const RmilTrainData *data;
    const RmilStudyOptions *options;
    const RmilMonitor *monitor;
    const RmilJobs *jobs;
    GArray *todo; /* indices of jobs, one of each training */
    RmilRecord *record;
    GMutex lock; /* of the record and of what follows */
    int threads, busy;
    int64_t waiting, active; /* trainings that nobody has begun; that are under way */
    int64_t ended, epochs;   /* trainings that ended here, and their epochs */
    RmilStudyOutcome *outcome;
} Runner;

/* -- progress, in epochs ------------------------------------------------------------------------------------------------------ */
/* A training is expected to take as many epochs as those that ended took on average; before, as many as it must. With the lock
 * held. */
static void show_progress(const Runner *runner) {
    const GArray *todo = runner->todo;
    int64_t done = 0, total = 0;
    for (guint i = 0; i < todo->len; i++) {
        const RmilJob *job = rmil_jobs_at(runner->jobs, g_array_index(todo, int64_t, i));
        const RmilTrainConfig *train = &job->run.train;
        const int64_t least = MIN(train->epochs, MAX(train->warmup, train->patience + 1));
        const int64_t expected = runner->ended ? runner->epochs / runner->ended : least;
        done += job->epochs;
        total += job->ended ? job->epochs : MAX(expected, job->epochs + 1);
    }
    if (todo->len) rmil_monitor_progress(runner->monitor, "study: epochs", done, total);
}

static void epoch_done(gpointer user, const char *what, int64_t done, int64_t total) {
    RmilJob *job = user;
    Runner *runner = job->runner;
    g_mutex_lock(&runner->lock);
    job->epochs = done;
    show_progress(runner);
    g_mutex_unlock(&runner->lock);
}

static void pass_note(gpointer user, const char *text) {
    const RmilJob *job = user;
    Runner *runner = job->runner;
    g_autofree char *title = rmil_study_run_title(job->method->name, runner->plan->variable, job->value, job->repeat->name,
                                                  job->repeat->seed);
    g_mutex_lock(&runner->lock);
    rmil_monitor_note(runner->monitor, "%s: %s", title, text);
    g_mutex_unlock(&runner->lock);
}

static void pass_warning(gpointer user, const char *message) {
    const Runner *runner = ((const RmilJob *)user)->runner;
    rmil_monitor_warn(runner->monitor, "%s", message);
}

/* -- one run ----------------------------------------------------------------------------------------------------------------- */
/* By the run's key, not by its training: a twin in another shard may be trained at the same time. */
static char *checkpoint_path(const Runner *runner, const RmilJob *job) {
    g_autofree char *name = g_strdup_printf("%.16s", job->key);
    return g_build_filename(runner->options->folder, "checkpoints", name, NULL);
}

static void append_applied(const Runner *runner, const RmilSplit *splits, const RmilApplied *applied, RmilRecordRun *out) {
    const RmilTrainData *data = runner->data;
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i] || splits[i] == RMIL_SPLIT_NONE) continue;
        const char *id = data->cohort->rows[i].id;
        const RmilApplied *a = &applied[i];
        RmilStudyPrediction prediction = {id, splits[i], data->labels[i], a->prediction.probability, a->prediction.logit};
        g_array_append_val(out->predictions, prediction);
        if (!a->localised) continue;
        for (int k = 0; k < RMIL_ALPHAS; k++) {
            RmilStudyLocalisation place = {id, rmil_alphas()[k], a->iou[k], a->dice[k], a->pointing[k]};
            g_array_append_val(out->localisation, place);
        }
        RmilStudyAttention attention = {id, a->attention.lesion, a->attention.elsewhere, a->attention.lesion_share};
        g_array_append_val(out->attention, attention);
    }
}

/* Everything that the record keeps of a model that was trained. */
static gboolean record_run(Runner *runner, const RmilJob *job, const RmilModel *model, GArray *history, const RmilApplied *applied,
                           double seconds, int threads, GError **error) {
    g_autofree char *name = g_strdup_printf("models/%s-%.16s.safetensors", job->method->name, job->key);
    g_autofree char *path = g_build_filename(runner->options->folder, name, NULL);
    if (!rmil_model_save(model, path, error)) return FALSE;
    RmilRecordRun out = {.run = {.key = job->key,
                                 .method = job->method->name,
                                 .value = job->value,
                                 .split = job->repeat->name,
                                 .seed = job->repeat->seed,
                                 .done = TRUE,
                                 .epochs = history->len,
                                 .seconds = seconds,
                                 .threads = threads,
                                 .version = rmil_version(),
                                 .config = job->config,
                                 .model = name},
                         .epochs = history,
                         .predictions = g_array_new(FALSE, FALSE, sizeof(RmilStudyPrediction)),
                         .localisation = g_array_new(FALSE, FALSE, sizeof(RmilStudyLocalisation)),
                         .attention = g_array_new(FALSE, FALSE, sizeof(RmilStudyAttention))};
    for (guint i = 0; i < history->len; i++) {
        const RmilEpoch *epoch = &g_array_index(history, RmilEpoch, i);
        if (epoch->best) out.run.best_epoch = epoch->epoch;
    }
    append_applied(runner, job->run.splits, applied, &out);
    g_mutex_lock(&runner->lock);
    gboolean done = rmil_record_add(runner->record, &out, error);
    g_mutex_unlock(&runner->lock);
    g_array_unref(out.predictions);
    g_array_unref(out.localisation);
    g_array_unref(out.attention);
    return done;
}

static gboolean do_job(Runner *runner, RmilJob *job, GError **error) {
    RmilVariant variant = {NULL, NULL};
    gint64 start = g_get_monotonic_time();
    if (job->kept || job->grown) {
        rmil_variant_init(&variant, runner->data, job->run.splits, job->kept, job->grown);
        job->run.bags = variant.bags;
    }
    g_autofree char *checkpoint = checkpoint_path(runner, job);
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    const RmilMonitor monitor = {epoch_done, pass_warning, job, pass_note};
    g_autoptr(RmilModel) model = rmil_train_run(&job->run, checkpoint, history, &monitor, error);
    double seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    g_autofree RmilApplied *applied = g_new0(RmilApplied, runner->data->count);
    const int threads = job->run.train.threads;
    gboolean done = model && rmil_train_apply(runner->data, model, job->run.splits, FALSE, threads, applied, error);
    for (const RmilJob *twin = job; done && twin; twin = twin->twin)
        done = record_run(runner, twin, model, history, applied, seconds, threads, error);
    if (done) g_unlink(checkpoint);
    job->run.bags = NULL;
    rmil_variant_clear(&variant);
    return done;
}

/* Threads: one per run as long as runs wait. When none waits, those that are free are shared out among the runs under way, each
 * of which asks before every epoch. */
static int ask_threads(gpointer user, int now) {
    RmilJob *job = user;
    Runner *runner = job->runner;
    g_mutex_lock(&runner->lock);
    const int fair = (int)((runner->threads + runner->active - 1) / runner->active), idle = runner->threads - runner->busy;
    const int more = runner->waiting == 0 && fair > now ? CLAMP(idle, 0, fair - now) : 0;
    runner->busy += more;
    job->run.train.threads += more;
    g_mutex_unlock(&runner->lock);
    return now + more;
}

static void begin(Runner *runner, RmilJob *job) {
    job->runner = runner;
    job->run.train.threads = 1;
    job->run.train.ask_threads = ask_threads;
    job->run.train.ask_user = job;
    g_mutex_lock(&runner->lock);
    runner->waiting--;
    runner->active++;
    runner->busy++;
    g_mutex_unlock(&runner->lock);
}

/* With the lock held. */
static void end(Runner *runner, RmilJob *job) {
    runner->busy -= job->run.train.threads;
    runner->active--;
    runner->ended++;
    runner->epochs += job->epochs;
    job->ended = TRUE;
}

static gboolean job_task(int64_t index, int worker, gpointer user, GError **error) {
    Runner *runner = user;
    RmilJob *job = rmil_jobs_at(runner->jobs, g_array_index(runner->todo, int64_t, index));
    GError *reason = NULL;
    begin(runner, job);
    gboolean done = do_job(runner, job, &reason);
    /* a record that cannot be written ends the study; a run that cannot be trained does not */
    gboolean fatal = reason && (reason->code == RMIL_ERROR_IO || reason->code == RMIL_ERROR_MEMORY);
    g_mutex_lock(&runner->lock);
    end(runner, job);
    RmilStudyOutcome *outcome = runner->outcome;
    for (const RmilJob *twin = job; twin; twin = twin->twin) {
        outcome->made += done;
        if (done || fatal) continue;
        g_autofree char *title = rmil_study_run_title(twin->method->name, runner->plan->variable, twin->value, twin->repeat->name,
                                                      twin->repeat->seed);
        g_ptr_array_add(outcome->failures, g_strdup_printf("%s: %s", title, reason->message));
    }
    show_progress(runner);
    g_mutex_unlock(&runner->lock);
    if (fatal) g_propagate_error(error, reason);
    else g_clear_error(&reason);
    return !fatal;
}

/* -- the study --------------------------------------------------------------------------------------------------------------- */
/* Only one process at a time for a record; the lock ends with the process, however that ends. */
static int lock_record(const char *folder, const char *name, GError **error) {
    g_autofree char *checkpoints = g_build_filename(folder, "checkpoints", NULL), *file = g_strconcat(name, ".lock", NULL);
    g_autofree char *path = g_build_filename(checkpoints, file, NULL);
    if (g_mkdir_with_parents(checkpoints, 0777) != 0) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", checkpoints, g_strerror(errno));
        return -1;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (lock < 0) {
        rmil_fail(error, RMIL_ERROR_IO, "%s: cannot be opened: %s", path, g_strerror(errno));
        return -1;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return lock; /* not every file system has locks */
    close(lock);
    rmil_fail(error, RMIL_ERROR_IO, "%s: another process works on %s in this folder", path, name);
    return -1;
}

static char *record_path(const RmilStudyOptions *options, char **name) {
    if (options->shards == 0) {
        *name = g_strdup("study");
        return g_build_filename(options->folder, "study.sqlite", NULL);
    }
    *name = g_strdup_printf("%d-of-%d", options->shard, options->shards);
    g_autofree char *file = g_strconcat(*name, ".sqlite", NULL);
    return g_build_filename(options->folder, "shards", file, NULL);
}

/* Puts a run among those to do, or behind one that trains the same. `trainings`: the last of each training so far. */
static void add_todo(Runner *runner, int64_t index, GHashTable *trainings) {
    RmilJob *job = rmil_jobs_at(runner->jobs, index), *last = g_hash_table_lookup(trainings, job->training);
    if (last) last->twin = job;
    else g_array_append_val(runner->todo, index);
    g_hash_table_insert(trainings, job->training, job);
}

/* Opens this process's record with the plan in it, then reads what all records of the folder have. */
static gboolean open_records(Runner *runner, const char *path, GError **error) {
    const RmilStudyPlan *plan = runner->plan;
    g_autofree RmilStudyRun *planned = g_new0(RmilStudyRun, runner->jobs->list->len);
    for (guint i = 0; i < runner->jobs->list->len; i++) {
        const RmilJob *job = rmil_jobs_at(runner->jobs, i);
        planned[i] = (RmilStudyRun){.key = job->key,
                                    .method = job->method->name,
                                    .value = job->value,
                                    .split = job->repeat->name,
                                    .seed = job->repeat->seed};
    }
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *cohort = g_canonicalize_filename(runner->data->cohort->path, NULL);
    const RmilRecordStudy study = {plan->kind,    plan->title, plan->text, cohort, runner->data->fingerprint, plan->reference->name,
                                   plan->variable};
    if (g_mkdir_with_parents(folder, 0777) != 0)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", folder, g_strerror(errno));
    runner->record = rmil_record_open(path, &study, planned, runner->jobs->list->len, error);
    g_autoptr(RmilStudy) have = runner->record ? rmil_study_open(runner->options->folder, error) : NULL;
    if (!have) return FALSE;
    const RmilStudyOptions *options = runner->options;
    RmilStudyOutcome *outcome = runner->outcome;
    g_autoptr(GHashTable) trainings = g_hash_table_new(g_str_hash, g_str_equal);
    outcome->planned = runner->jobs->list->len;
    for (int64_t i = 0; i < outcome->planned; i++) {
        const gboolean done = rmil_study_run(have, i)->done, own = options->shards == 0 || i % options->shards == options->shard - 1;
        outcome->share += own;
        outcome->kept += own && done;
        if (own && !done) add_todo(runner, i, trainings);
        if (!done) continue; /* a kill between record and removal leaves a checkpoint */
        g_autofree char *checkpoint = checkpoint_path(runner, rmil_jobs_at(runner->jobs, i));
        g_unlink(checkpoint);
    }
    return TRUE;
}

static gboolean run_jobs(Runner *runner, GError **error) {
    g_autofree char *models = g_build_filename(runner->options->folder, "models", NULL);
    if (g_mkdir_with_parents(models, 0777) != 0)
        return rmil_fail(error, RMIL_ERROR_IO, "%s: cannot make the folder: %s", models, g_strerror(errno));
    runner->waiting = runner->todo->len;
    return rmil_parallel(runner->todo->len, runner->threads, job_task, runner, error);
}

gboolean rmil_study_execute(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                            const RmilStudyOptions *options, const RmilMonitor *monitor, RmilStudyOutcome *outcome, GError **error) {
    *outcome = (RmilStudyOutcome){.failures = g_ptr_array_new_with_free_func(g_free)};
    if (options->shards < 0 || options->shards > 100000 || (options->shards && (options->shard < 1 || options->shard > options->shards)))
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "shard %d of %d: shards are numbered from 1", options->shard, options->shards);
    g_autofree char *name = NULL, *path = record_path(options, &name);
    int lock = lock_record(options->folder, name, error);
    if (lock < 0) return FALSE;
    g_autoptr(RmilJobs) jobs = rmil_jobs_new(plan, data, base, options->padded, monitor, error);
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(int64_t));
    Runner runner = {.plan = plan,
                     .data = data,
                     .options = options,
                     .monitor = monitor,
                     .jobs = jobs,
                     .todo = todo,
                     .threads = rmil_threads(options->threads),
                     .outcome = outcome};
    g_mutex_init(&runner.lock);
    gboolean done = jobs && open_records(&runner, path, error) && run_jobs(&runner, error);
    outcome->left = outcome->share - outcome->kept - outcome->made;
    rmil_record_free(runner.record);
    g_mutex_clear(&runner.lock);
    close(lock);
    return done;
}

void rmil_study_outcome_clear(RmilStudyOutcome *outcome) { g_clear_pointer(&outcome->failures, g_ptr_array_unref); }
