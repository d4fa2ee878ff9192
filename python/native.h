/* SPDX-License-Identifier: Apache-2.0 */
/* What the package uses of the public headers, as cffi reads it: the compiler checks each line against the headers themselves, and "..."
 * stands for what is not used. */
typedef int gboolean;
typedef void *gpointer;
typedef unsigned int guint;
typedef struct { int code; char *message; ...; } GError;
typedef struct { void **pdata; guint len; ...; } GPtrArray;
typedef struct { char *data; guint len; ...; } GArray;
void g_error_free(GError *error);
void g_free(void *memory);
void g_array_unref(GArray *array);
void *g_malloc(size_t bytes);
char *g_strdup(const char *text);

/* base.h */
typedef enum { RMIL_ERROR_IO, RMIL_ERROR_FORMAT, RMIL_ERROR_ARGUMENT, RMIL_ERROR_DATA, RMIL_ERROR_RESOLUTION, RMIL_ERROR_MEMORY, ... } RmilErrorCode;
const char *rmil_version(void);
typedef struct {
    void (*progress)(gpointer user, const char *what, int64_t done, int64_t total);
    void (*warn)(gpointer user, const char *message);
    gpointer user;
    void (*problem)(gpointer user, const char *stage, const char *id, const GError *error);
    ...;
} RmilMonitor;
extern "Python" void rankmil_progress(void *user, const char *what, int64_t done, int64_t total);
extern "Python" void rankmil_warn(void *user, const char *message);
extern "Python" void rankmil_problem(void *user, const char *stage, const char *id, const GError *error);

/* bag.h */
typedef enum { RMIL_FLOAT32, ... } RmilPrecision;
typedef enum { RMIL_BAG_ALL, ... } RmilBagFlags;
typedef struct {
    char *id;
    int64_t count, dim;
    RmilPrecision precision;
    void *features;
    int64_t *coords;
    float *tissue;
    uint8_t *patch_labels;
    double patch_size, patch_size_level0, target_mpp;
    int64_t slide_width, slide_height;
    char *source;
    gboolean stored_half;
    double mpp, coords_um;
    ...;
} RmilBag;
RmilBag *rmil_bag_read(const char *path, const char *id, RmilPrecision precision, RmilBagFlags flags, GError **error);
void rmil_bag_free(RmilBag *bag);
void rmil_bag_set_mpp(RmilBag *bag, double mpp);
double rmil_bag_level0_mpp(const RmilBag *bag);
gboolean rmil_bag_write_as(const RmilBag *bag, const char *path, const char *layout, gboolean half, GError **error);
const char *const *rmil_bag_layouts(void);
gboolean rmil_labels_read(const char *path, int64_t count, uint8_t *labels, GError **error);

/* cohort.h */
typedef enum { RMIL_TASK_CLASSES, RMIL_TASK_SURVIVAL, RMIL_TASK_NUMBER, ... } RmilTaskKind;
typedef struct { RmilTaskKind kind; int classes; char names[...][...]; gboolean negative; ...; } RmilTask;
typedef struct { int label; double time; gboolean event; double value; ...; } RmilTarget;
typedef enum { RMIL_SPLIT_NONE, RMIL_SPLIT_TRAIN, RMIL_SPLIT_VAL, RMIL_SPLIT_TEST, ... } RmilSplit;
const char *rmil_split_name(RmilSplit split);
typedef struct { char *id; ...; } RmilCohortRow;
typedef struct _RmilCohort { int64_t count; RmilCohortRow *rows; ...; } RmilCohort;
typedef struct { char **errors; ...; } RmilBagSet;
void rmil_cohort_free(RmilCohort *cohort);
const char *rmil_task_kind_name(RmilTaskKind kind);

/* evaluate.h, mil.h */
typedef struct {
    const char *slide;
    RmilSplit part;
    RmilTarget target;
    double probability, logit;
    const char *patient;
    double answer;
    int count;
    double values[...], times[...];
    ...;
} RmilPredictionRow;
typedef struct { const char *slide; double alpha, iou, dice, pointing; ...; } RmilLocalisationRow;
typedef struct { const char *slide; double lesion, elsewhere, lesion_share; ...; } RmilAttentionRow;
typedef struct { char model[...]; int64_t dim; RmilTask task; double threshold; ...; } RmilModelConfig;
typedef struct { const char *name, *title; ...; } RmilTrainMethod;
const RmilTrainMethod *rmil_methods(size_t *count);
const RmilTrainMethod *rmil_method_of_config(const RmilModelConfig *config);
typedef struct _RmilModel RmilModel;
RmilModel *rmil_model_load(const char *path, GError **error);
void rmil_model_free(RmilModel *model);
const RmilModelConfig *rmil_model_config(const RmilModel *model);
gboolean rmil_model_sees(const RmilModel *model);
int rmil_model_rows(const RmilModel *model);
typedef struct {
    double probability, logit, calibrated, loss;
    int predicted;
    double answer;
    int count;
    double values[...];
    ...;
} RmilPrediction;
gboolean rmil_ensemble_predict(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target, RmilPrediction *mean,
                               double *sd, float *scores, float *attention, GError **error);
gboolean rmil_model_onnx_write(const RmilModel *model, const char *path, GError **error);

typedef struct {
    int64_t epoch;
    double train_loss, train_slide_loss, train_guide_loss, val_loss, val_metric;
    gboolean best;
    ...;
} RmilEpoch;
typedef struct { const char *slide; double auroc, average_precision; ...; } RmilPatchRow;
typedef struct { const char *slide; int64_t lesion, tiles; double score, false_positives; int64_t negatives; ...; } RmilLesionRow;

/* slide.h */
typedef struct _RmilSlide RmilSlide;
typedef struct {
    int64_t width, height, bounds_x, bounds_y, bounds_width, bounds_height;
    double mpp;
    int levels;
    gboolean plain;
    const char *format;
    const char *const *warnings;
    ...;
} RmilSlideInfo;
RmilSlide *rmil_slide_open(const char *path, double mpp, GError **error);
void rmil_slide_free(RmilSlide *slide);
const RmilSlideInfo *rmil_slide_info(const RmilSlide *slide);
gboolean rmil_slide_read(RmilSlide *slide, double x, double y, double downsample, int64_t width, int64_t height, uint8_t *rgb, GError **error);

/* prepare.h */
typedef struct {
    double mpp;
    double tile_mpp, min_tissue;
    char *encoder, *weights, *device;
    gboolean bfloat16;
    double padding, label_threshold;
    int threads;
    ...;
} RmilPrepareOptions;
void rmil_prepare_options_init(RmilPrepareOptions *options);
void rmil_prepare_options_clear(RmilPrepareOptions *options);
typedef enum { RMIL_LOCK_ALONE, ... } RmilLockMode;
typedef struct { RmilCohort *cohort; ...; } RmilWork;
RmilWork *rmil_work_new(const char *folder, const RmilPrepareOptions *options, const RmilMonitor *monitor, GError **error);
void rmil_work_free(RmilWork *work);
gboolean rmil_work_read(RmilWork *work, const char *cohort, GError **error);
gboolean rmil_work_lock(RmilWork *work, RmilLockMode mode, const char *who, GError **error);
RmilCohort *rmil_work_prepare(RmilWork *work, GError **error);

/* study.h, present.h */
typedef struct { ...; } RmilTrainOptions;
void rmil_train_options_init(RmilTrainOptions *options);
void rmil_train_options_clear(RmilTrainOptions *options);
gboolean rmil_train_options_set(RmilTrainOptions *options, const char *name, const char *text, GError **error);
typedef struct { const RmilCohort *cohort; RmilBagSet *set; int64_t count; ...; } RmilTrainData;
RmilTrainData *rmil_train_data_load(const RmilCohort *cohort, const RmilTrainOptions *options, const char *cache, int threads,
                                    const RmilMonitor *monitor, GError **error);
void rmil_train_data_free(RmilTrainData *data);
typedef struct { const char *name, *text; double number; ...; } RmilVaried;
typedef struct _RmilStudyPlan RmilStudyPlan;
RmilStudyPlan *rmil_study_plan_read(const char *path, const char *const *sets, GError **error);
void rmil_study_plan_free(RmilStudyPlan *plan);
const char *rmil_study_plan_kind(const RmilStudyPlan *plan);
gboolean rmil_study_plan_data_options(const RmilStudyPlan *plan, const RmilTrainOptions *base, RmilTrainOptions *options, GError **error);
typedef struct { const char *folder; int shard, shards, threads; ...; } RmilStudyOptions;
typedef struct { char *title, *message; ...; } RmilStudyFailure;
typedef struct { int64_t planned, share, kept, made, left; GPtrArray *failures; ...; } RmilStudyOutcome;
gboolean rmil_study_execute(const RmilStudyPlan *plan, const RmilTrainData *data, const RmilTrainOptions *base, const RmilStudyOptions *options,
                            const RmilMonitor *monitor, RmilStudyOutcome *outcome, GError **error);
void rmil_study_outcome_clear(RmilStudyOutcome *outcome);
gboolean rmil_study_accepts(const char *folder, const char *kind, GError **error);
typedef struct _RmilStudy RmilStudy;
typedef struct {
    const char *key, *method;
    double value;
    RmilVaried varied[...];
    const char *split;
    int64_t seed;
    gboolean done;
    int64_t epochs, best_epoch;
    double seconds;
    const char *version, *config, *model;
    ...;
} RmilStudyRun;
RmilStudy *rmil_study_open(const char *folder, GError **error);
void rmil_study_free(RmilStudy *study);
const char *rmil_study_value(const RmilStudy *study, const char *name);
const RmilTask *rmil_study_task(const RmilStudy *study);
int64_t rmil_study_count(const RmilStudy *study);
const RmilStudyRun *rmil_study_run(const RmilStudy *study, int64_t index);
GArray *rmil_study_epochs(RmilStudy *study, int64_t index, GError **error);
GArray *rmil_study_predictions(RmilStudy *study, int64_t index, GError **error);
GArray *rmil_study_localisation(RmilStudy *study, int64_t index, GError **error);
GArray *rmil_study_attention(RmilStudy *study, int64_t index, GError **error);
GArray *rmil_study_patches(RmilStudy *study, int64_t index, GError **error);
GArray *rmil_study_lesions(RmilStudy *study, int64_t index, GError **error);
gboolean rmil_report_write(const char *folder, const char *path, const RmilMonitor *monitor, GError **error);
