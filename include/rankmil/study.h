/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil study: training options, single runs, and the record of a study. */
#ifndef RANKMIL_STUDY_H
#define RANKMIL_STUDY_H

#include "cohort.h"
#include "evaluate.h"
#include "mil.h"

G_BEGIN_DECLS

/* -- options of training ------------------------------------------------------------------------------------------------------ */
/* All training options, named as on the command line and in study plans: those of the models, the guides, the trainer, the features in
 * memory and the splits. docs/options.md lists them. The table is constant and shared; thread-safe. */
RMIL_API const RmilOption *rmil_train_option_table(gsize *count);
RMIL_API const RmilOption *rmil_train_option_find(const char *name); /* NULL if there is no such option */

/* Option values as text, in the order of the table's rows. NULL: not set. */
#define RMIL_TRAIN_OPTIONS 96
typedef struct {
    char *texts[RMIL_TRAIN_OPTIONS]; /* owned */
} RmilTrainOptions;
RMIL_API void rmil_train_options_init(RmilTrainOptions *options);
RMIL_API void rmil_train_options_clear(RmilTrainOptions *options);
/* Overwrites `to` without freeing its old contents, so it may be uninitialised. Free the copy with rmil_train_options_clear. */
RMIL_API void rmil_train_options_copy(const RmilTrainOptions *from, RmilTrainOptions *to);
/* Sets one option by name. ARGUMENT for an unknown name, text that cannot be parsed, or a value out of bounds; the message gives the
 * bounds. */
RMIL_API gboolean rmil_train_options_set(RmilTrainOptions *options, const char *name, const char *text, GError **error);
RMIL_API const char *rmil_train_options_get(const RmilTrainOptions *options, const char *name); /* NULL: not set */
/* For command-line parsers. _text returns the address where a parser stores the text of an option; `option` must be a row of the table.
 * _parse then checks that every numeric option is a number, as such parsers usually do themselves; bounds are only checked when the values
 * are used. */
RMIL_API char **rmil_train_options_text(RmilTrainOptions *options, const RmilOption *option);
RMIL_API gboolean rmil_train_options_parse(const RmilTrainOptions *options, GError **error);
/* Fills both configurations for a method. The caller still has to set dim (from the data), seed and threads. */
RMIL_API gboolean rmil_train_options_configure(const RmilTrainOptions *options, const RmilTrainMethod *method, RmilModelConfig *model,
                                               RmilTrainConfig *train, GError **error);

/* The method that `method` becomes with these options: rank with --pairs both is rank-both. NULL and *error: as
 * rmil_train_options_configure. */
RMIL_API const RmilTrainMethod *rmil_train_options_method(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error);

/* How to load the features. */
RMIL_API gboolean rmil_train_options_load(const RmilTrainOptions *options, RmilBagSetOptions *load, GError **error);
/* How to choose cut-offs and calibrations. */
RMIL_API gboolean rmil_train_options_decision(const RmilTrainOptions *options, RmilDecisionOptions *decision, GError **error);
/* Reads the split file if one is given (rmil_repeats_read). Otherwise draws splits or folds for each seed (rmil_repeats_draw,
 * rmil_repeats_fold). GArray of RmilRepeat; free with g_array_unref. */
RMIL_API GArray *rmil_train_options_repeats(const RmilTrainOptions *options, const RmilCohort *cohort, const int64_t *seeds, int64_t count,
                                            GError **error);
/* Checks everything that training would check about the options, before any data are loaded. */
RMIL_API gboolean rmil_train_options_check(const RmilTrainOptions *options, const RmilTrainMethod *method, GError **error);

/* -- data and one run --------------------------------------------------------------------------------------------------------- */
/* The features of a cohort in memory. Read-only once loaded; any number of runs may share it. */
typedef struct {
    const RmilCohort *cohort;   /* one row per bag: the cohort passed in (borrowed), or by_patient */
    RmilCohort *by_patient;     /* one row per patient; NULL if each bag is a slide */
    RmilBagSet *set;            /* set->errors says which bags could not be read */
    const RmilBag *const *bags; /* the set's bags, by cohort row; NULL for a bag that could not be read */
    RmilTarget *targets;        /* by row */
    int64_t count;              /* rows */
    char *fingerprint;          /* SHA-256 over everything in the data that affects training */
    struct _RmilSight *sight;   /* private: which slides can be read by models of pixels */
} RmilTrainData;
/* Loads the features of a cohort, which must outlive the result. With the option bag=patient, each bag holds all slides of a patient.
 * cache: folder for features that do not fit into the memory given by the options, or NULL. DATA if a row has no features; otherwise as
 * rmil_bag_set_load. Free with rmil_train_data_free. */
RMIL_API RmilTrainData *rmil_train_data_load(const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, int threads,
                                             const RmilMonitor *monitor, GError **error);
RMIL_API void rmil_train_data_free(RmilTrainData *data);
/* Why a model of pixels (patch-cnn) cannot use the slide of a row; NULL if it can. The row must have a bag. The first call for a row checks
 * the slide's size and reads one tile. The string belongs to the data. Thread-safe. */
RMIL_API const char *rmil_train_data_blind(const RmilTrainData *data, int64_t row);

/* One setting that a study varies, and its value in one run. */
typedef struct {
    const char *name; /* "fraction", "dropout" …; NULL ends the list */
    const char *text; /* "0.25", "shuffle" */
    double number;    /* NaN if the value is a word */
} RmilVaried;
#define RMIL_VARIED 2 /* a study varies at most this many settings */

typedef struct {
    const RmilTrainData *data;
    const RmilSplit *splits; /* by row; rows with RMIL_SPLIT_NONE are not used */
    RmilModelConfig model;
    RmilTrainConfig train;
    const RmilBag *const *bags; /* bags with other patch labels to train on; NULL: those of `data` */
    const RmilVaried *varied;   /* RMIL_VARIED entries: what the study varies; NULL: nothing */
    const char *annotations;    /* identifies patch labels that differ from those of `data`; NULL: they are the same */
} RmilTrainRun;
/* Everything that the result depends on, as JSON: equal texts mean equal results. Free with g_free. */
RMIL_API char *rmil_train_run_config(const RmilTrainRun *run);
/* Trains on the run's sets: rmil_train. DATA if the training set lacks a class, or the training or validation set has no slide with a known
 * target. Warns if the guide finds no annotated patches to learn from in the training set, because the model then trains as if it had no
 * guide. checkpoint and history: as for rmil_train. */
RMIL_API RmilModel *rmil_train_run(const RmilTrainRun *run, const char *checkpoint, GArray *history, const RmilMonitor *monitor,
                                   GError **error);

/* The RMIL_ALPHAS percentages of patches at which localisation is measured (paper, "Attention Localization"). Ascending. */
#define RMIL_ALPHAS 7
RMIL_API const double *rmil_alphas(void);
/* lesion, elsewhere: mean attention on annotated and on all other patches, times K, so that uniform attention gives 1; NaN if there are no
 * such patches. lesion_share: fraction of the total attention that falls on annotated patches. */
typedef struct {
    double lesion, elsewhere, lesion_share;
} RmilAttentionShare;
/* What a model predicts for one row. The members after `localised` are only set if it is TRUE: for annotated positive test slides. */
typedef struct {
    RmilPrediction prediction;
    gboolean missing; /* no result: a model of pixels could not read the slide or one of its tiles */
    gboolean localised;
    double iou[RMIL_ALPHAS], dice[RMIL_ALPHAS], pointing[RMIL_ALPHAS];
    double patch_auroc, patch_average_precision;
    RmilAttentionShare attention;
} RmilApplied;
/* Applies a model to every row that has a bag; all = FALSE: only to rows in a set. out: data->count entries, indexed by row. Patch labels
 * are always those of `data`. If a model of pixels cannot read a slide completely, that row is marked as missing, with a warning. lesions:
 * an RmilLesionRow is appended for each lesion of the localised slides whose patches lie on a tile grid; the ids belong to the cohort. */
RMIL_API gboolean rmil_train_apply(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, gboolean all, int threads,
                                   const RmilMonitor *monitor, RmilApplied *out, GArray *lesions, GError **error);

/* Applies a model to all rows and writes tables into `folder`: predictions.csv (all slides), localisation.csv (localised slides), and, if
 * they have any rows, patches.csv and lesions.csv. */
RMIL_API gboolean rmil_train_apply_write(const RmilTrainData *data, const RmilModel *model, const RmilSplit *splits, int threads,
                                         const char *folder, const RmilMonitor *monitor, GError **error);

/* Reads a predictions.csv of any task as a GArray of RmilPredictionRow; free with g_array_unref. *task is derived from the columns (p_NAME
 * for each class, risk, value). The column `patient` is read if there is one. Strings are stored in `strings`. Errors name the file, the
 * line and the reason. */
RMIL_API GArray *rmil_predictions_read(const char *path, RmilTask *task, GStringChunk *strings, GError **error);
/* The same for predictions.csv in a run folder; slides.csv beside it supplies the patients. */
RMIL_API GArray *rmil_run_predictions(const char *folder, RmilTask *task, GStringChunk *strings, GError **error);

/* Reads patches.csv (GArray of RmilPatchRow) and lesions.csv (RmilLesionRow) of a run folder; a missing file gives an empty array. Strings
 * are stored in `strings`. Free both with g_array_unref. */
RMIL_API gboolean rmil_run_found(const char *folder, GStringChunk *strings, GArray **patches, GArray **lesions, GError **error);

/* The cut-off and calibration recorded in the folder's run.json. `chosen` is FALSE if it records none, or there is no run.json. */
RMIL_API gboolean rmil_run_decision(const char *folder, RmilDecision *decision, GError **error);

/* -- folders of trained runs ----------------------------------------------------------------------------------------------- */
/* One training in the work folder of `rankmil run`. */
typedef struct {
    char *method; /* "rank" …; for a single training's folder, the folder's name */
    char *split;  /* name of the split if a file fixes it, otherwise "" */
    int64_t seed;
    char *folder;  /* path of the folder with model.safetensors, predictions.csv … */
    char *key;     /* rmil_config_key of the configuration it was trained with; NULL if no record has it */
    gboolean done; /* the training is complete */
} RmilRunEntry;
RMIL_API void rmil_run_entry_free(RmilRunEntry *entry);
/* Lists trainings. GPtrArray of RmilRunEntry; free with g_ptr_array_unref. For a work folder: all trainings of its current plan, done or
 * not, in the plan's order. For DIR/runs/METHOD: those of that method. For the folder of a single training: just that one.
 * A folder without a record (an evaluation on another cohort, or version 0.1.0) is listed from its run.json, or else by scanning runs/.
 * After a scan, trainings of one method may only differ in seed and sets; DATA if they differ in anything else. */
RMIL_API GPtrArray *rmil_run_entries(const char *folder, GError **error);
/* The method whose finished trainings are quoted in the report of a run: "rank" if it has any, else "rank-both", else the first in the
 * paper's order. NULL if no training has finished. The string belongs to the entries. */
RMIL_API const char *rmil_run_headline(const GPtrArray *entries);
/* Name of a repeat's folder below runs/METHOD: its seed, or the name of its split if several repeats have that seed. repeats: GArray of
 * RmilRepeat. Free with g_free. */
RMIL_API char *rmil_repeat_folder(const GArray *repeats, guint index);
/* SHA-256 of the text from rmil_train_run_config. Free with g_free. */
RMIL_API char *rmil_config_key(const char *config);
/* That text, from the run.json of a training's folder. NULL and *error if it is missing or broken. Free with g_free. */
RMIL_API char *rmil_run_config(const char *folder, GError **error);
/* Compares the SHA-256 of the folder's model with its run.json. FORMAT if they differ. Passes if run.json has none (version 0.1.0). */
RMIL_API gboolean rmil_run_check_model(const char *folder, GError **error);
/* Describes how two configurations differ: "learning_rate 0.01, now 0.0002"; "" if they do not. except: names of members to ignore,
 * NULL-terminated, or NULL. Free with g_free. */
RMIL_API char *rmil_config_difference(const char *was, const char *is, const char *const *except);

/* -- plans --------------------------------------------------------------------------------------------------------------------- */
/* A plan is a YAML file (docs/studies.md) that says which kind of study to run, and with which methods, seeds or splits, values and
 * settings. */
typedef struct _RmilStudyPlan RmilStudyPlan;
/* sets: NULL-terminated "KEY=VALUE" strings that replace fields and settings of the file, or NULL. Checks every setting with every method
 * that it affects. Errors name the file and line, or the --set, and the reason. Free with rmil_study_plan_free. */
RMIL_API RmilStudyPlan *rmil_study_plan_read(const char *path, const char *const *sets, GError **error);
RMIL_API void rmil_study_plan_free(RmilStudyPlan *plan);
/* A plan without a file, in which nothing varies. kind: "run", or "train" for a single run. methods: const RmilTrainMethod *. The options
 * that are set become the plan's settings. If they name a split file, its columns with these seeds are used; count 0: all columns. */
RMIL_API RmilStudyPlan *rmil_study_plan_new(const char *kind, const GPtrArray *methods, const RmilTrainOptions *options,
                                            const int64_t *seeds, int64_t count);
/* The plan's ways of dividing the cohort into sets: GArray of RmilRepeat; free with g_array_unref. base: as for rmil_study_execute. */
RMIL_API GArray *rmil_study_plan_repeats(const RmilStudyPlan *plan, const RmilCohort *cohort, const RmilTrainOptions *base, GError **error);
/* The complete plan as YAML in a fixed form, with defaults filled in. Reading it gives the same plan. Owned by the plan. */
RMIL_API const char *rmil_study_plan_text(const RmilStudyPlan *plan);
RMIL_API const char *rmil_study_plan_kind(const RmilStudyPlan *plan); /* "comparison", …; "run", "train" */
/* Does the plan keep all slides of a site in one set (splits: {by_site: true})? If so, the cohort must have been read with
 * RmilReading.by_site; any other is refused. */
RMIL_API gboolean rmil_study_plan_by_site(const RmilStudyPlan *plan);
/* The values of a setting that the plan varies ("padding"), owned by the plan; words are given by their index among the option's words.
 * NULL and count 0 if it does not vary. */
RMIL_API const double *rmil_study_plan_values(const RmilStudyPlan *plan, const char *name, int64_t *count);
/* A copy of `base` with the plan's settings: use it to load the data. Overwrites `options` (rmil_train_options_copy); clear it afterwards,
 * even after a failure. */
RMIL_API gboolean rmil_study_plan_data_options(const RmilStudyPlan *plan, const RmilTrainOptions *base, RmilTrainOptions *options,
                                               GError **error);
/* The titles of the plan's runs on a cohort, in order ("rank, threshold 0.5, seed 3"). GPtrArray of strings; free with
 * g_ptr_array_unref. */
RMIL_API GPtrArray *rmil_study_plan_runs(const RmilStudyPlan *plan, const RmilCohort *cohort, const RmilTrainOptions *base, GError **error);

/* Whether each run gets a folder, exported from the record: model.safetensors, history.csv, predictions.csv, localisation.csv, slides.csv
 * and run.json. With run folders, DIR shows the most recent plan: data and settings may change, and runs of earlier plans stay in the
 * record, with one warning, until options.clean removes them. Without run folders, changed data are refused. */
typedef enum {
    RMIL_FOLDERS_NONE,
    RMIL_FOLDERS_ONE, /* for a plan of one run: DIR itself */
    RMIL_FOLDERS_MANY /* DIR/runs/METHOD/NAME (rmil_repeat_folder) */
} RmilRunFolders;

/* -- running a plan ------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *folder; /* DIR: study.sqlite or shards/I-of-N.sqlite, models/, checkpoints/ */
    int shard, shards;  /* this process does every shards-th run, starting with number `shard` (from 1); 0, 0: all runs */
    int threads;        /* total; that many runs train at once. When fewer are left, each gets more threads from its next epoch on */
    /* Only for granularity: folder with PADDING/ID.h5 (rmil_padding_name), the patch labels from padded outlines. NULL, or no such file:
     * labels are grown on the tile grid. */
    const char *padded;
    RmilRunFolders folders;
    JsonNode *preprocessing; /* how features were made from slides, for the run.json files; NULL: unknown */
    gboolean clean;          /* remove runs that are not in this plan, with their models, from the record */
} RmilStudyOptions;

typedef struct {
    char *title;   /* "rank, seed 0" */
    char *folder;  /* of the run, relative to DIR: "runs/rank/0"; "": DIR itself; NULL: none */
    char *message; /* why training failed */
} RmilStudyFailure;

typedef struct {
    int64_t planned;          /* runs in the plan */
    int64_t share;            /* how many of them are this process's (all, without shards) */
    int64_t kept, made, left; /* of its share: already recorded, done by this call, not done */
    GPtrArray *failures;      /* RmilStudyFailure */
} RmilStudyOutcome;
/* Trains every run of the plan that is not yet in a record of the folder. If a run cannot be trained, it is listed in the outcome and the
 * others continue; FALSE only if nothing can continue (IO, MEMORY, …). Each run is recorded in one transaction, and checkpoints are
 * kept while it trains, so a killed process can be started again. The finished record has the same numbers as one that was never
 * interrupted, on any number of threads and shards. If a recorded model is missing or has changed, its run is trained again, with a
 * warning. Only one process at a time may work on a record. Clear the outcome, even after a failure. */
RMIL_API gboolean rmil_study_execute(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base,
                                     const RmilStudyOptions *options, const RmilMonitor *monitor, RmilStudyOutcome *outcome,
                                     GError **error);
RMIL_API void rmil_study_outcome_clear(RmilStudyOutcome *outcome);
RMIL_API char *rmil_padding_name(double padding); /* "448"; free with g_free */

/* -- the record of a study ------------------------------------------------------------------------------------------------ */
/* DIR/study.sqlite, or DIR/shards/I-of-N.sqlite for a study that ran in shards: the plan, and all numbers of every finished run
 * (docs/studies.md has the tables). All records of a folder are opened as one study; reading never changes what is recorded. A study
 * may be read while it is running: the reader sees the runs that were finished when it opened the record. */
typedef struct _RmilStudy RmilStudy;

/* A run of the plan. The strings belong to the study. */
typedef struct {
    const char *key;    /* SHA-256 of everything that the result depends on */
    const char *method; /* "rank" … */
    double value;       /* of the setting that the study varies; NaN unless exactly one varies and it is a number */
    RmilVaried varied[RMIL_VARIED];
    const char *split; /* name of the split if a file fixes it, otherwise "" */
    int64_t seed;
    gboolean done; /* the members below are only set if TRUE */
    int64_t epochs, best_epoch;
    double seconds;       /* training time */
    int64_t threads;      /* the most it used */
    const char *version;  /* of the rankmil that trained it */
    const char *config;   /* all settings, as JSON (rmil_train_run_config) */
    const char *model;    /* path of the model file */
    const char *sha256;   /* of that file; "": not recorded */
    const char *decision; /* its cut-off and calibration as rmil_decision_text; NULL: none */
} RmilStudyRun;

/* "rank, dropout 0.25, seed 3". Free with g_free. */
RMIL_API char *rmil_study_run_title(const RmilStudyRun *run);

/* Does the folder have a record? Also TRUE if that cannot be determined; rmil_study_open then gives the error. */
RMIL_API gboolean rmil_study_exists(const char *folder);
/* Can runs of this kind ("run", "train", or a kind of study) be recorded in this folder? FALSE and *error, naming the file, if a record
 * there is broken or of another kind. rmil_study_execute checks this too; call it before preparing data for hours. */
RMIL_API gboolean rmil_study_accepts(const char *folder, const char *kind, GError **error);
/* Opens the records of a folder. Fails, naming the file, if there is no record, one is broken or was written by a later version, or the
 * records are of different plans or cohorts. One thread at a time. Free with rmil_study_free. */
RMIL_API RmilStudy *rmil_study_open(const char *folder, GError **error);
RMIL_API void rmil_study_free(RmilStudy *study);
RMIL_API const char *rmil_study_folder(const RmilStudy *study);
/* A property of the study; "" if the record does not have it. The names are
 *   "kind"          comparison, low-data, granularity, annotated-fraction, threshold, localisation …
 *   "title"
 *   "plan"          the plan as YAML
 *   "cohort"        path of the cohort table with the features
 *   "task"          rmil_task_text
 *   "patient_pool"  rmil_pool_name
 *   "bag"           "slide" or "patient": what one bag is
 *   "fingerprint"   of the data
 *   "reference"     the method that the others are tested against
 *   "variable"      what varies: "", "fraction", "padding", "annotated", "threshold", a training option, or two of these: "dropout, sigma"
 *   "format", "version" */
RMIL_API const char *rmil_study_value(const RmilStudy *study, const char *name);
/* What is predicted. Two classes if the record does not say. Owned by the study. */
RMIL_API const RmilTask *rmil_study_task(const RmilStudy *study);
/* The runs of the plan, done or not, in the plan's order: by method, then by value, then by split or seed. */
RMIL_API int64_t rmil_study_count(const RmilStudy *study);
RMIL_API int64_t rmil_study_done(const RmilStudy *study);
RMIL_API const RmilStudyRun *rmil_study_run(const RmilStudy *study, int64_t index);
/* The numbers of a finished run (ARGUMENT if it is not done): GArrays of RmilEpoch, RmilPredictionRow, RmilLocalisationRow and
 * RmilAttentionRow, in the order of epochs, or of the cohort's slides and then alpha. Predictions are of any task and name the patients;
 * slides in no set are only included if the run has a folder. Strings belong to the study. Free with g_array_unref. */
RMIL_API GArray *rmil_study_epochs(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_predictions(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_localisation(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_attention(RmilStudy *study, int64_t index, GError **error);
/* The same with RmilPatchRow and RmilLesionRow. Empty for records from before version 0.2. */
RMIL_API GArray *rmil_study_patches(RmilStudy *study, int64_t index, GError **error);
RMIL_API GArray *rmil_study_lesions(RmilStudy *study, int64_t index, GError **error);

/* The software and hardware that results are computed with: {"rankmil", "commit", "compiler", "processor", "processors", "instructions",
 * "system", "libraries": {name: version}}. Free with json_node_unref. */
RMIL_API JsonNode *rmil_environment(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilTrainData, rmil_train_data_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilRunEntry, rmil_run_entry_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudyPlan, rmil_study_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilStudy, rmil_study_free)

G_END_DECLS
#endif
