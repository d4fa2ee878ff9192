/* SPDX-License-Identifier: Apache-2.0 */
/* Slide cohorts with known truth. */
#include "synth-private.h"

/* Part of every slide's identity: increase it if slides with the same options change. */
#define VERSION 1

typedef struct {
    const char *folder;
    const RmilSynthOptions *options;
    const RmilSynthLayout *layout;
    const RmilMonitor *monitor;
    RmilSynthPlan *plans;
    RmilSynthAtlas *atlas; /* created when a slide first needs it */
    double *shares;        /* actual */
    GMutex lock;
    int64_t done;
} Job;

static char *slide_identity(const RmilSynthOptions *o, const RmilSynthPlan *plan) {
    g_autofree char *task = rmil_synth_task_text(&o->task);
    return g_strdup_printf("rankmil synth version %d, slide %s of %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
                           " px, mpp %g, positive %g, seed %" G_GUINT64_FORMAT "%s",
                           VERSION, plan->id, o->slides, o->width, o->height, o->mpp, o->positive, o->seed, task);
}

static gboolean shared_atlas(Job *job, GError **error) {
    g_mutex_lock(&job->lock);
    if (!job->atlas)
        job->atlas = rmil_synth_atlas_new(job->options->seed, 0.5 / job->options->mpp, (int)job->options->task.classes,
                                          job->options->threads, error);
    gboolean there = job->atlas != NULL;
    g_mutex_unlock(&job->lock);
    return there;
}

static gboolean draw_slide(Job *job, const RmilSynthPlan *plan, const RmilSynthAnatomy *anatomy, const char *identity, const char *path,
                           GError **error) {
    uint64_t seed = job->options->seed;
    int64_t pixels = plan->width * plan->height;
    RmilSynthCanvas canvas = {plan->width, plan->height, rmil_alloc(pixels, 1, error), NULL, NULL};
    RmilSynthStain stain = {.table = NULL};
    if (canvas.h) canvas.e = rmil_alloc(pixels, 1, error);
    if (canvas.e) canvas.rgb = rmil_alloc(pixels, 3, error);
    gboolean made = canvas.rgb && shared_atlas(job, error) && rmil_synth_stain_init(&stain, seed, plan, error);
    if (made) {
        rmil_synth_render(&canvas, anatomy, job->atlas, plan, seed);
        rmil_synth_artefacts_density(&canvas, anatomy, plan, seed);
        rmil_synth_develop(&canvas, &stain, plan, seed);
        rmil_synth_artefacts_light(&canvas, anatomy, plan, seed);
        made = job->layout->jpeg ? rmil_synth_jpeg_write(canvas.rgb, canvas.width, canvas.height, 3, identity, path, error)
                                 : rmil_synth_tiff_write(&canvas, job->options->mpp, identity, path, error);
    }
    rmil_synth_stain_clear(&stain);
    rmil_free(canvas.h);
    rmil_free(canvas.e);
    rmil_free(canvas.rgb);
    return made;
}

static gboolean make_slide(int64_t index, int worker, gpointer user, GError **error) {
    Job *job = user;
    const RmilSynthPlan *plan = &job->plans[index];
    g_autofree char *path = rmil_synth_layout_slide(job->layout, job->folder, plan);
    g_autofree char *identity = slide_identity(job->options, plan);
    gboolean there = g_file_test(path, G_FILE_TEST_EXISTS);
    if (there) {
        g_autofree char *made_as = rmil_synth_picture_identity(path);
        if (g_strcmp0(made_as, identity) != 0)
            return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "%s: already exists but was made with other options (%s): remove it, or choose another folder", path,
                             made_as ? made_as : "not made by rankmil");
    }
    if (!there || plan->label) {
        g_autoptr(RmilSynthAnatomy) anatomy = rmil_synth_anatomy_new(job->options, plan, error);
        if (!anatomy) return FALSE;
        job->shares[index] = anatomy->share;
        if (plan->label) {
            g_autofree char *truth = rmil_synth_layout_truth(job->layout, job->folder, plan);
            if (!there || !g_file_test(truth, G_FILE_TEST_EXISTS))
                if (!rmil_synth_layout_write_truth(job->layout, anatomy, plan, identity, truth, error)) return FALSE;
        }
        if (!there && !draw_slide(job, plan, anatomy, identity, path, error)) return FALSE;
    }
    g_mutex_lock(&job->lock);
    rmil_monitor_progress(job->monitor, "slides", ++job->done, job->options->slides);
    g_mutex_unlock(&job->lock);
    return TRUE;
}

gboolean rmil_synth_write(const char *folder, const RmilSynthOptions *options, const RmilMonitor *monitor, GError **error) {
    const RmilSynthLayout *layout = rmil_synth_layout(options->layout, error);
    if (!layout || !rmil_synth_check(options, error) || !rmil_synth_picture_start(error)) return FALSE;
    Job job = {.folder = folder, .options = options, .layout = layout, .monitor = monitor};
    job.plans = rmil_synth_plan(options);
    job.shares = g_new0(double, options->slides);
    if (layout->rename) layout->rename(job.plans, options->slides);
    g_mutex_init(&job.lock);
    gboolean done = rmil_parallel(options->slides, options->threads, make_slide, &job, error) &&
                    (!layout->finish || layout->finish(folder, options, job.plans, job.shares, error));
    g_mutex_clear(&job.lock);
    rmil_synth_atlas_free(job.atlas);
    g_free(job.shares);
    g_free(job.plans);
    return done;
}
