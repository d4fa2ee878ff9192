/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil study: the options of training, one run, and the record of a study. */
#ifndef RANKMIL_STUDY_H
#define RANKMIL_STUDY_H

#include "cohort.h"
#include "evaluate.h"
#include "mil.h"

G_BEGIN_DECLS

/* -- options of training ------------------------------------------------------------------------------------------------------ */
/* Every option by its name on the command line and in study plans: those of all models and guides, of the trainer, of the features in
 * memory and of the splits. docs/options.md lists them. */
RMIL_API const RmilOption *rmil_train_option_table(gsize *count);
RMIL_API const RmilOption *rmil_train_option_find(const char *name); /* or NULL */

/* The values given, as text, by row of the table; NULL: not given. */
#define RMIL_TRAIN_OPTIONS 96
typedef struct {
    char *texts[RMIL_TRAIN_OPTIONS]; /* owned */
} RmilTrainOptions;
RMIL_API void rmil_train_options_init(RmilTrainOptions *options);
RMIL_API void rmil_train_options_clear(RmilTrainOptions *options);
RMIL_API void rmil_train_options_copy(const RmilTrainOptions *from, RmilTrainOptions *to); /* what `to` held is not freed */
/* Sets one by name; fails on unknown names, on text that is not such a value, and on values out of bounds, which the message names. */
RMIL_API gboolean rmil_train_options_set(RmilTrainOptions *options, const char *name, const char *text, GError **error);
RMIL_API const char *rmil_train_options_get(const RmilTrainOptions *options, const char *name); /* NULL: not given */
/* Where the text of a row of the table lies, for parsers of command lines, and whether numbers are given where numbers are asked
 * for, as such parsers find; whether values are right is seen when they are used. */
RMIL_API char **rmil_train_options_text(RmilTrainOptions *options, const RmilOption *option);
RMIL_API gboolean rmil_train_options_parse(const RmilTrainOptions *options, GError **error);
/* Fills both configurations for a method, but for dim (the data's), seed and threads. */
RMIL_API gboolean rmil_train_options_configure(const RmilTrainOptions *options, const RmilTrainMethod *method, RmilModelConfig *model,
                                               RmilTrainConfig *train, GError **error);

/* The method that this one becomes with these options: rank with --pairs both is rank-both. NULL and *error: as rmil_train_options_configure. */
RMIL_API const RmilTrainMethod *rmil_train_options_method(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error);

/* How features are to be loaded. */
RMIL_API gboolean rmil_train_options_load(const RmilTrainOptions *options, RmilBagSetOptions *load, GError **error);
/* How cut-offs and calibrations are chosen. */
RMIL_API gboolean rmil_train_options_decision(const RmilTrainOptions *options, RmilDecisionOptions *decision, GError **error);
/* rmil_repeats_read of the file of splits, where one is given; else rmil_repeats_draw with the shares for each seed. */
RMIL_API GArray *rmil_train_options_repeats(const RmilTrainOptions *options, const RmilCohort *cohort, const int64_t *seeds, int64_t count,
                                            GError **error);
/* Every bound that training would find, before there are data. */
RMIL_API gboolean rmil_train_options_check(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error);

/* -- data and one run --------------------------------------------------------------------------------------------------------- */
/* The features of a cohort in memory, to be read by any number of runs. */
typedef struct {
    const RmilCohort *cohort;   /* whose rows are the bags: the one that was given, borrowed, or its patients */
    RmilCohort *by_patient;     /* these, or NULL: bags are slides */
    RmilBagSet *set;            /* set->errors tells which bags could not be read */
    const RmilBag *const *bags; /* the set's, by cohort row; NULL where there is none */
    RmilTarget *targets;        /* by row */
    int64_t count;              /* rows */
    char *fingerprint;          /* SHA-256 over all that training depends on of the data */
    struct _RmilSight *sight;   /* private: which slides models of pixels can see */
} RmilTrainData;
/* Every row must name features. With the option bag=patient, the bags are patients. cache: a folder for features beyond the options' memory, or NULL. */
RMIL_API RmilTrainData *rmil_train_data_load(const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, int threads,
                                             const RmilMonitor *monitor, GError **error);
RMIL_API void rmil_train_data_free(RmilTrainData *data);
/* Why a model of pixels (patch-cnn) cannot see the slide of a row that has a bag; NULL: it can. Reads one tile at the first call. Thread-safe. */
RMIL_API const char *rmil_train_data_blind(const RmilTrainData *data, int64_t row);

/* One setting that a study varies, and its value. */
typedef struct {
    const char *name; /* "fraction", "dropout" …; NULL: nothing varies, or nothing more */
    const char *text; /* "0.25", "shuffle" */
    double number;    /* NaN: it is a word */
} RmilVaried;
#define RMIL_VARIED 2 /* at most in one study */

typedef struct {
    const RmilTrainData *data;
    const RmilSplit *splits; /* by row; rows in no set take no part */
    RmilModelConfig model;
    RmilTrainConfig train;
    const RmilBag *const *bags; /* to train with, where they differ from data's in their patch labels; else NULL */
    const RmilVaried *varied;   /* RMIL_VARIED of them: what a study varies; NULL: nothing */
    const char *annotations;    /* what identifies patch labels that differ from the data's; NULL: none do */
} RmilTrainRun;
/* JSON of everything that the result depends on: equal texts mean equal results. Free with g_free. */
RMIL_API char *rmil_train_run_config(const RmilTrainRun *run);
/* rmil_train with the run's sets. Fails when the training set lacks a class or the validation set is empty. Warns when the guide finds
 * nothing to follow in the training set, so that the model is one without a guide. */
RMIL_API RmilModel *rmil_train_run(const RmilTrainRun *run, const char *checkpoint, GArray *history, const RmilMonitor *monitor,
                                   GError **error);

/* Shares of patches, in percent, that localisation is measured with (paper, "Attention Localization"). */
#define RMIL_ALPHAS 7
RMIL_API const double *rmil_alphas(void);
/* Mean attention on annotated and on other patches, times K (1: what each patch would get if all counted the same; NaN
 * where there is no such patch), and the share of all attention that lies on annotated patches. */
typedef struct {
    double lesion, elsewhere, lesion_share;
} RmilAttentionShare;
/* What a model predicts for one row. The rest is there when localised: annotated positive slides of the test set. */
typedef struct {
    RmilPrediction prediction;
    gboolean missing; /* a model of pixels cannot see the slide or one of its tiles: it has no result */
    gboolean localised;
    double iou[RMIL_ALPHAS], dice[RMIL_ALPHAS], pointing[RMIL_ALPHAS];
    double patch_auroc, patch_average_precision;
    RmilAttentionShare attention;
} RmilApplied;
/* Fills out[row] for every row that has a bag, with all = FALSE only for those in a set; patch labels are the data's own. A slide that a
 * model of pixels cannot read, or not wholly, is missing, with a warning. lesions: gets RmilLesionRow of those on a tile grid that are
 * localised; ids are the cohort's. */
RMIL_API gboolean rmil_train_apply(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, gboolean all, int threads,
                                   const RmilMonitor *monitor, RmilApplied *out, GArray *lesions, GError **error);

/* The same as tables: folder/predictions.csv of every slide, folder/localisation.csv of those that are localised, patches.csv and lesions.csv
 * where there are any. */
RMIL_API gboolean rmil_train_apply_write(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, int threads,
                                         const char *folder, const RmilMonitor *monitor, GError **error);

/* A table predictions.csv, of any task: GArray of RmilPredictionRow; *task is what its columns say (p_NAME for each class, risk, value). The
 * column `patient` is read where there is one. Texts become `strings`'s. Errors name the file, the line, the reason. g_array_unref. */
RMIL_API GArray *rmil_predictions_read(const char *path, RmilTask *task, GStringChunk *strings, GError **error);
/* That of the folder of a training, with the patients that slides.csv beside it names. */
RMIL_API GArray *rmil_run_predictions(const char *folder, RmilTask *task, GStringChunk *strings, GError **error);

/* The tables patches.csv (GArray of RmilPatchRow) and lesions.csv (RmilLesionRow) of the folder of a training; empty where there are none. As
 * above; free with g_array_unref. */
RMIL_API gboolean rmil_run_found(const char *folder, GStringChunk *strings, GArray **patches, GArray **lesions, GError **error);

/* The cut-off and calibration that the folder's run.json records; chosen FALSE: none, or there is no run.json. */
RMIL_API gboolean rmil_run_decision(const char *folder, RmilDecision *decision, GError **error);

/* -- folders of trained runs ----------------------------------------------------------------------------------------------- */
/* A training of `rankmil run`'s work folder. */
typedef struct {
    char *method; /* "rank" …; of a lone training its folder's name */
    char *split;  /* name of the split where a file fixes it, else "" */
    int64_t seed;
    char *folder;  /* its path: model.safetensors, predictions.csv … */
    char *key;     /* rmil_config_key of what it was trained with; NULL: no record says */
    gboolean done; /* it is there */
} RmilRunEntry;
RMIL_API void rmil_run_entry_free(RmilRunEntry *entry);
/* The trainings that the work folder's present plan means, done or not, in its order; of DIR/runs/METHOD those of the method; of a lone
 * training's folder that one. A folder without a record (an evaluation on another cohort, version 0.1.0) is what its run.json
 * lists, else what is in it, and is refused (DATA) when trainings of one method then differ in more than seed and sets. GPtrArray
 * of RmilRunEntry; free with g_ptr_array_unref. */
RMIL_API GPtrArray *rmil_run_entries(const char *folder, GError **error);
/* The method whose finished trainings the report of a run quotes: "rank" where there are any, else "rank-both", else the first in the paper's order.
 * NULL: none is finished. Belongs to the entries. */
RMIL_API const char *rmil_run_headline(const GPtrArray *entries);
/* Folder name of a repeat below runs/METHOD: its seed, or where others have the same the name of its split. Free with g_free. */
RMIL_API char *rmil_repeat_folder(const GArray *repeats, guint index);
/* SHA-256 of rmil_train_run_config's text. Free with g_free. */
RMIL_API char *rmil_config_key(const char *config);
/* That text of the training in a folder; NULL: not there, or broken. Free with g_free. */
RMIL_API char *rmil_run_config(const char *folder, GError **error);
/* Is the folder's model the one that its run.json records? Fails when a bit of it changed. */
RMIL_API gboolean rmil_run_check_model(const char *folder, GError **error);
/* "learning_rate 0.01, now 0.0002": what differs, but for the members in `except` (NULL-terminated, or NULL); "": nothing.
 * Free with g_free. */
RMIL_API char *rmil_config_difference(const char *was, const char *is, const char *const *except);

/* -- plans --------------------------------------------------------------------------------------------------------------------- */
/* A plan is a YAML file (docs/studies.md): which study, which methods, seeds or splits, values, settings. */
typedef struct _RmilStudyPlan RmilStudyPlan;
/* sets: "KEY=VALUE" strings, NULL-terminated, or NULL: fields and settings that replace the file's. Errors name the file and
 * line, or the --set, and the reason; every setting is checked with every method that it concerns. */
RMIL_API RmilStudyPlan *rmil_study_plan_read(const char *path, const char *const *sets, GError **error);
RMIL_API void rmil_study_plan_free(RmilStudyPlan *plan);
/* A plan without a file, in which nothing varies. kind: "run", or "train", which is one run. methods: const RmilTrainMethod *. Settings are
 * what was given of the options; of their file of splits the columns with these seeds are taken, count 0: all. */
RMIL_API RmilStudyPlan *rmil_study_plan_new(const char *kind, const GPtrArray *methods, const RmilTrainOptions *options,
                                            const int64_t *seeds, int64_t count);
/* The ways of dividing the cohort that the plan means: GArray of RmilRepeat, free with g_array_unref. base: as for rmil_study_execute. */
RMIL_API GArray *rmil_study_plan_repeats(const RmilStudyPlan *plan, const RmilCohort *cohort, const RmilTrainOptions *base, GError **error);
/* The whole plan as YAML in one fixed form, defaults filled in; reads back as the same plan. Owned by the plan. */
RMIL_API const char *rmil_study_plan_text(const RmilStudyPlan *plan);
RMIL_API const char *rmil_study_plan_kind(const RmilStudyPlan *plan); /* "comparison", …; "run", "train" */
/* Does it ask that sites stay whole (splits: {by_site: true})? A cohort that was not read so (RmilReading) is then refused. */
RMIL_API gboolean rmil_study_plan_by_site(const RmilStudyPlan *plan);
/* The values of what varies by that name, "padding"; count 0: it does not vary. Those of words are their places among the words. */
RMIL_API const double *rmil_study_plan_values(const RmilStudyPlan *plan, const char *name, int64_t *count);
/* `base` with the plan's settings that concern the data: what to load the data with. Clear `options`. */
RMIL_API gboolean rmil_study_plan_data_options(const RmilStudyPlan *plan, const RmilTrainOptions *base, RmilTrainOptions *options,
                                               GError **error);
/* The runs that a plan means for a cohort, in its order, as lines for people ("rank, threshold 0.5, seed 3"). GPtrArray of
 * strings; free with g_ptr_array_unref. */
RMIL_API GPtrArray *rmil_study_plan_runs(const RmilStudyPlan *plan, const RmilCohort *cohort, const RmilTrainOptions *base, GError **error);

/* Whether runs get folders of their own, made from the record: model.safetensors, history.csv, predictions.csv, localisation.csv,
 * slides.csv and run.json. A folder with such runs is of the plan that was asked for last: data and settings may change, what the
 * record holds of other plans is named once and stays until options.clean. Without them, data that changed are refused. */
typedef enum {
    RMIL_FOLDERS_NONE,
    RMIL_FOLDERS_ONE, /* of a plan of one run: DIR itself */
    RMIL_FOLDERS_MANY /* DIR/runs/METHOD/NAME (rmil_repeat_folder) */
} RmilRunFolders;

/* -- running a plan ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *folder; /* DIR: study.sqlite or shards/I-of-N.sqlite, models/, checkpoints/ */
    int shard, shards;  /* this process makes every shards-th run, from the shard-th (1 …); 0, 0: all runs */
    int threads;        /* runs at once; when fewer are left, each has more from its next epoch on */
    const char *padded; /* folder with PADDING/ID.h5 (rmil_padding_name): patch labels of outlines that were grown. NULL, or
                         * no such file: labels grow on the tile grid. Only for granularity */
    RmilRunFolders folders;
    JsonNode *preprocessing; /* how slides became features, for the folders' run.json; NULL: not known */
    gboolean clean;          /* forget the runs in the record that are not of this plan, and their models */
} RmilStudyOptions;

typedef struct {
    char *title;   /* "rank, seed 0" */
    char *folder;  /* of the run below DIR: "runs/rank/0"; "": DIR; NULL: it has none */
    char *message; /* why it could not be trained */
} RmilStudyFailure;

typedef struct {
    int64_t planned;          /* runs of the plan */
    int64_t share;            /* of which this process's (all, without shards) */
    int64_t kept, made, left; /* of the share: recorded before, done now, not done */
    GPtrArray *failures;      /* RmilStudyFailure */
} RmilStudyOutcome;
/* Does every run of the plan that no record in the folder has. A run that fails is listed in the outcome and the others continue;
 * FALSE when nothing can continue. Each run is recorded in one transaction, checkpoints are kept while it trains: a process that
 * was killed continues, and the finished record holds the same numbers as one that was not disturbed, on any number of threads
 * and shards. A recorded model that is missing or changed is trained again, with a warning. Clear the outcome, after a failure too. */
RMIL_API gboolean rmil_study_execute(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                                     const RmilStudyOptions *options, const RmilMonitor *monitor, RmilStudyOutcome *outcome,
                                     GError **error);
RMIL_API void rmil_study_outcome_clear(RmilStudyOutcome *outcome);
RMIL_API char *rmil_padding_name(double padding); /* "448"; free with g_free */

/* -- the record of a study ------------------------------------------------------------------------------------------------ */
/* DIR/study.sqlite, and DIR/shards/I-of-N.sqlite where a study ran in shards: what was planned, and of every run that is done
 * all numbers (docs/studies.md has the tables). Opening reads all records of the folder as one. Nothing is written; a study
 * may go on while it is read: what was done at the time of opening is seen. */
typedef struct _RmilStudy RmilStudy;

/* A run of the plan. The strings belong to the study. */
typedef struct {
    const char *key;    /* SHA-256 of all that the result depends on */
    const char *method; /* "rank" … */
    double value;       /* of what the study varies, where that is one number; else NaN */
    RmilVaried varied[RMIL_VARIED];
    const char *split; /* name of the split where a file fixes them, else "" */
    int64_t seed;
    gboolean done; /* what follows is there only then */
    int64_t epochs, best_epoch;
    double seconds;       /* of training */
    int64_t threads;      /* the most it had */
    const char *version;  /* of rankmil that trained it */
    const char *config;   /* JSON: every setting */
    const char *model;    /* path of the model file */
    const char *sha256;   /* of that file; "": not recorded */
    const char *decision; /* rmil_decision_text of its cut-off and calibration; NULL: it has none */
} RmilStudyRun;

/* "rank, dropout 0.25, seed 3". Free with g_free. */
RMIL_API char *rmil_study_run_title(const RmilStudyRun *run);

/* Is there a record in this folder? */
RMIL_API gboolean rmil_study_exists(const char *folder);
/* Can runs of this kind ("run", "train", or a study's) be recorded in this folder? FALSE, naming the file: a record there is broken, or of
 * another kind. rmil_study_execute asks too; a caller that prepares data for hours asks first. */
RMIL_API gboolean rmil_study_accepts(const char *folder, const char *kind, GError **error);
/* Refuses, naming the file: no record, a broken one, one that a later version wrote, and records of different plans or
 * cohorts in one folder. */
RMIL_API RmilStudy *rmil_study_open(const char *folder, GError **error);
RMIL_API void rmil_study_free(RmilStudy *study);
RMIL_API const char *rmil_study_folder(const RmilStudy *study);
/* What the record says about the study: "kind" (comparison, low-data, granularity, annotated-fraction, threshold,
 * localisation), "title", "plan" (its YAML), "cohort" (path of the table with the features), "task" (rmil_task_text), "patient_pool"
 * (rmil_pool_name), "bag" ("slide", "patient"; what one case is), "fingerprint" (of its data), "reference" (the method that the others are tested against), "variable" ("", "fraction", "padding", "annotated",
 * "threshold", an option of training, or two of these: "dropout, sigma"), "format", "version". "" when it is not there. */
RMIL_API const char *rmil_study_value(const RmilStudy *study, const char *name);
/* What is predicted; a record that does not say is of two classes. */
RMIL_API const RmilTask *rmil_study_task(const RmilStudy *study);
/* The runs of the plan, done or not, in the plan's order: methods, then values, then splits or seeds. */
RMIL_API int64_t rmil_study_count(const RmilStudy *study);
RMIL_API int64_t rmil_study_done(const RmilStudy *study);
RMIL_API const RmilStudyRun *rmil_study_run(const RmilStudy *study, int64_t index);
/* Rows of a run that is done, in the order of epochs or of the cohort's slides, then of alpha: GArray of RmilEpoch,
 * RmilPredictionRow (of every task, patients included; rows in no part only of runs that have folders), RmilLocalisationRow, RmilAttentionRow. Strings belong to the study. Free with g_array_unref. */
RMIL_API GArray *rmil_study_epochs(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_predictions(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_localisation(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_attention(RmilStudy *study, int64_t index, GError **error);
/* Empty in records of before version 0.2. */
RMIL_API GArray *rmil_study_patches(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_lesions(RmilStudy *study, int64_t index, GError **error);

/* What results are computed with here: {"rankmil", "commit", "compiler", "processor", "processors", "instructions", "system", "libraries":
 * {name: version}}. Free with json_node_unref. */
RMIL_API JsonNode *rmil_environment(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilTrainData, rmil_train_data_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRunEntry, rmil_run_entry_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudyPlan, rmil_study_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudy, rmil_study_free)

G_END_DECLS
#endif
