/* Training: options, the data in memory, one run and its folder. */
#ifndef RMIL_CLI_TRAIN_H
#define RMIL_CLI_TRAIN_H

#include "cli-work.h"

/* What users call a method: a model and what guides its attention. */
typedef struct {
    const char *name, *model;
    RmilGuide guide;
} Method;
const Method *method_find(const char *name, GError **error);
const Method *method_of(const char *model, const char *guide, GError **error);

typedef struct {
    gdouble threshold, sigma, margin, lambda, learning_rate, weight_decay, dropout, test_share, val_share;
    gint64 rank_sample, epochs, patience, warmup, group, hidden, attention_dim, clam_k;
    gdouble clam_bag_weight;
    gchar *sampler, *precision, *memory, *splits;
} TrainOptions;
void train_options_init(TrainOptions *options);
void train_options_clear(TrainOptions *options);
GOptionEntry *train_entries(TrainOptions *options);   /* free with g_free */
/* Fills both configurations for a method; dim is set by the data. */
gboolean train_configs(const TrainOptions *options, const Method *method, const Cli *cli, RmilModelConfig *model,
                       RmilTrainConfig *train, GError **error);

typedef struct {
    RmilCohort *cohort;       /* borrowed */
    RmilBagSet *set;
    RmilBag **bags;           /* the set's: by cohort row; NULL where left out */
    int *labels;              /* by row */
    int64_t count;
    char *fingerprint;        /* SHA-256 over all that training depends on of the data */
} TrainData;
/* The features of a cohort that names them. Rows that cannot be read are reported and left out. cache: a folder for
 * features beyond --memory. Clear it after a failure too. */
gboolean train_data_load(TrainData *data, Cli *cli, RmilCohort *cohort, const TrainOptions *options, const char *cache,
                         GError **error);
void train_data_clear(TrainData *data);

/* One way of dividing the cohort and the seed of everything random in its training. */
typedef struct {
    int64_t seed;
    RmilSplit *splits;        /* by row */
} Repeat;
/* `repeats` Monte-Carlo splits from --seed on, or every column of --splits FILE. */
GArray *train_repeats(const TrainData *data, const Cli *cli, const TrainOptions *options, int64_t repeats, GError **error);
void train_repeats_free(GArray *repeats);

/* Trains, predicts and localises into `folder` (run.json, model.safetensors, history.csv, predictions.csv,
 * localisation.csv), or finds that done. preprocessing (may be NULL) is kept in run.json for `rankmil predict`. */
gboolean train_run(Cli *cli, const TrainData *data, const Method *method, const TrainOptions *options,
                   const Repeat *repeat, JsonObject *preprocessing, int threads, const RmilMonitor *monitor,
                   const char *folder, gboolean *made, GError **error);
/* predictions.csv of every slide, and localisation.csv of the annotated positive slides of the test set. */
gboolean run_apply(const TrainData *data, const RmilModel *model, const Repeat *repeat, int threads, const char *folder,
                   GError **error);

/* One slide's attention as a picture, PNG. `work` gives the options for slides and annotations. */
gboolean heat_write(const Work *work, const RmilCohortRow *row, const RmilBag *bag, const RmilModel *model, const char *title,
                    const char *path, GError **error);

#endif
