/* Training: options, the data in memory, one run and its folder. */
#ifndef RMIL_CLI_TRAIN_H
#define RMIL_CLI_TRAIN_H

#include "work.h"

/* The library's table of training options as command line options; free with g_free. */
GOptionEntry *train_entries(RmilTrainOptions *options);
/* The features of a cohort that names them. Rows that cannot be read are reported and left out. cache: a folder for
 * features beyond --memory. */
RmilTrainData *train_data_load(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, GError **error);
/* Everything that the table says about training, before hours of work: labels, the classes of every set, splits, slides that stand
 * in it twice. undivided: NULL, or gets the error of sets that cannot be drawn (a cohort that is too small), instead of `error`. */
gboolean train_check(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, int64_t repeats, GError **undivided,
                     GError **error);
/* `repeats` Monte-Carlo splits from --seed on, or every column of --splits FILE. */
GArray *train_repeats(const Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options, int64_t repeats, GError **error);

/* µm per level-0 pixel of the bag's slide, as its tiles imply it; 0: not known. */
double train_bag_mpp(const RmilBag *bag);
/* rmil_train_run_config of such a training; NULL: options that the method does not take. Free with g_free. */
char *train_config(const RmilTrainData *data, const RmilTrainMethod *method, const RmilTrainOptions *options, const RmilRepeat *repeat,
                   GError **error);
/* Trains, predicts and localises into `folder` (run.json, model.safetensors, history.csv, predictions.csv,
 * localisation.csv, slides.csv), or finds that done. preprocessing (may be NULL) is kept in run.json for `rankmil predict`. */
gboolean train_run(const RmilTrainData *data, const RmilTrainMethod *method, const RmilTrainOptions *options, const RmilRepeat *repeat,
                   JsonObject *preprocessing, int threads, const RmilMonitor *monitor, const char *folder, gboolean *made, GError **error);
/* predictions.csv of every slide, and localisation.csv of the annotated positive slides of the test set. */
gboolean run_apply(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, int threads, const char *folder,
                   GError **error);

/* The mean attention of `count` models over one slide as a picture, PNG; their mean probability stands in its title. `work` gives
 * the options for slides and annotations. */
gboolean heat_write(const Work *work, const RmilCohortRow *row, const RmilBag *bag, const RmilModel *const *models, int64_t count,
                    const char *title, const char *path, GError **error);

#endif
