/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil mil: models of bags, their training and their files. The mathematics: docs/models.md. */
#ifndef RANKMIL_MIL_H
#define RANKMIL_MIL_H

#include "evaluate.h"

G_BEGIN_DECLS

typedef enum { RMIL_GUIDE_NONE, RMIL_GUIDE_INDUCTION, RMIL_GUIDE_RANK, RMIL_GUIDE_EVENNESS, RMIL_GUIDE_LABELS } RmilGuide;
RMIL_API const char *rmil_guide_name(RmilGuide guide); /* "none", "induction", "rank", "evenness", "labels" */
RMIL_API const char *const *rmil_guide_names(void);    /* NULL-terminated */
/* Is it silent without annotated patches? Others act on slides that can hold no lesion, too. */
RMIL_API gboolean rmil_guide_needs_annotations(RmilGuide guide);

/* What a model of survival learns from: discrete-time hazards, or the Cox partial likelihood over the slides of a step. */
typedef enum { RMIL_SURVIVAL_HAZARD, RMIL_SURVIVAL_COX } RmilSurvivalLoss;

#define RMIL_MODEL_OWN 32
/* Everything that determines a model's shape and its loss; saved with the model. docs/options.md has all values and bounds. */
typedef struct {
    char model[16]; /* "abmil", "dsmil", "clam-sb", "clam-mb", "hipt", "gated-abmil", "transmil", "patch-linear" */
    RmilGuide guide;
    int64_t dim;           /* D of the features */
    int64_t hidden;        /* adaptor width: 256 (abmil, dsmil), 512 (clam, gated-abmil, transmil), 192 (hipt); 0: the model's default */
    int64_t attention_dim; /* 384 (dsmil), 256 (clam); 0: default */
    double dropout;        /* 0 */
    double threshold;      /* T; < 0: none. Paper: 1 */
    gboolean even_bags;    /* does T cut bags of one patch, or of equal ones, too, as the released code does? FALSE */
    double sigma, margin, lambda; /* rank loss and guide weight: 1, 1, 1 */
    int64_t rank_sample;          /* 0: all pairs, exactly; N: up to N annotated and N other patches a step */
    RmilTask task;                /* what it predicts */
    int64_t bins;                 /* survival by hazards: bins of time, 4 */
    int survival_loss;            /* survival: RmilSurvivalLoss */
    double hazard_alpha;          /* survival by hazards: how much more events count than censored slides, 0 … 1: 0 */
    int64_t patch_hidden;         /* patch classifiers: width of their hidden layer; 0: none */
    int64_t patch_top;            /* patch classifiers: highest patches that make a slide, 1 */
    /* What training makes of its training set's targets, kept so that a model says its answers in their unit. */
    double edges[RMIL_OUTPUTS_MOST + 1]; /* survival by hazards: of the bins, ascending, bins + 1; all 0: not trained */
    double mean, sd;                     /* a number: of the values; 0 and 1 before training */
    int64_t own[RMIL_MODEL_OWN];         /* what single models and guides take: rmil_model_config_get and _set */
} RmilModelConfig;
/* Any number of it by its option's name ("clam-k", "region-size") or key ("clam_k", "region_rows"). get: NaN where there is no such
 * option. set fails on that, and on values out of bounds. */
RMIL_API double rmil_model_config_get(const RmilModelConfig *config, const char *name);
RMIL_API gboolean rmil_model_config_set(RmilModelConfig *config, const char *name, double value, GError **error);

/* What a guide could learn from a positive slide: nothing is annotated, all is, or some of it, so that there are pairs to rank. Of
 * patches; of regions for hipt, where a region counts as annotated when one of its patches is. Thread-safe. */
typedef enum { RMIL_ANNOTATED_NONE, RMIL_ANNOTATED_ALL, RMIL_ANNOTATED_SOME } RmilAnnotated;
RMIL_API RmilAnnotated rmil_annotated(const RmilModelConfig *config, const RmilBag *bag);

/* Paper's values for the named model and guide. Fails on unknown names and on guides the model does not take. */
RMIL_API gboolean rmil_model_config_init(RmilModelConfig *config, const char *model, RmilGuide guide, GError **error);
RMIL_API const char *const *rmil_model_names(void); /* NULL-terminated */

/* How figures draw a method: a colour, a dash pattern and a point of gnuplot. Colours are Okabe and Ito's and a few darker ones; no two
 * methods share a dash pattern, so that colour-blind eyes and gray paper tell them apart. */
typedef struct {
    const char *colour, *dash;
    int point;
} RmilLineStyle;

/* What users call a method: a model, what guides its attention, and how. */
typedef struct {
    const char *name, *model;
    RmilGuide guide;
    const char *option, *value; /* what else makes it this method, an option and its value: "pairs", "both"; NULL: nothing */
    const char *title;          /* for readers: "Rank induction" */
    RmilLineStyle style;
    gboolean reference; /* the paper's own: what others are compared with by default */
    gboolean partial;   /* the one to take where outlines leave parts of lesions out (docs/guides.md) */
    gboolean patches;   /* its model learns from patch labels alone: it needs annotated slides */
} RmilTrainMethod;
/* All of them: model by model, in the paper's order, then its appendix's. */
RMIL_API const RmilTrainMethod *rmil_methods(gsize *count);
/* abmil, induction, rank, rank-across, rank-both … (docs/models.md); another name's error lists them. */
RMIL_API const RmilTrainMethod *rmil_method_find(const char *name, GError **error);
/* The one without an option of its own. guide: NULL for the one that the model trains with by default. */
RMIL_API const RmilTrainMethod *rmil_method_of(const char *model, const char *guide, GError **error);
/* The paper's configuration of the method: rmil_model_config_init, and its option. */
RMIL_API gboolean rmil_method_config_init(const RmilTrainMethod *method, RmilModelConfig *config, GError **error);
/* The one that the configuration is of: its model, its guide and, where one has an option of its own with the configuration's value, that
 * one. NULL: there is none. */
RMIL_API const RmilTrainMethod *rmil_method_of_config(const RmilModelConfig *config);
RMIL_API const RmilTrainMethod *rmil_method_reference(void);
RMIL_API const RmilTrainMethod *rmil_method_partial(void);
/* The same model without a guide. */
RMIL_API const RmilTrainMethod *rmil_method_unguided(const RmilTrainMethod *method);

typedef struct _RmilModel RmilModel;
RMIL_API RmilModel *rmil_model_new(const RmilModelConfig *config, uint64_t seed, GError **error);
RMIL_API void rmil_model_free(RmilModel *model);
RMIL_API const RmilModelConfig *rmil_model_config(const RmilModel *model);
/* Does it look at the pixels of patches (rmil_bag_set_slide), not at features? */
RMIL_API gboolean rmil_model_sees(const RmilModel *model);
/* Threads with which such a model reads and computes, set before it predicts for the first time; ≤ 0 and by default: all
 * processors. Others predict on the calling thread. */
RMIL_API void rmil_model_set_threads(RmilModel *model, int threads);
/* The cut-off and calibration that it carries and saves; chosen FALSE: none. Where one is set, it is copied. */
RMIL_API const RmilDecision *rmil_model_decision(const RmilModel *model);
RMIL_API void rmil_model_set_decision(RmilModel *model, const RmilDecision *decision);
/* Weights alone, for other programs: "paper" under the names of the paper's code, "clam" (clam-sb and clam-mb) under those of CLAM
 * (mahmoodlab/CLAM). As safetensors where the path ends so, else as torch.save writes a state_dict. */
RMIL_API gboolean rmil_model_export(const RmilModel *model, const char *path, const char *layout, GError **error);
/* safetensors: tensor names of the released code's state_dict, configuration as metadata. Loading also takes a state_dict of that
 * code without any configuration, saved by torch.save or as safetensors, alone or inside another dictionary: the model is
 * found by its tensors, and everything that tensors do not tell is the paper's (no guide, T = 1). Of more than two classes, which its
 * classifier tells, the names are "0" … "C − 1". */
RMIL_API RmilModel *rmil_model_load(const char *path, GError **error);
/* Such a state_dict of a known model: `known` comes from rmil_model_config_init, with threshold, heads, region_rows and
 * region_columns set as the model was trained; sizes come from the tensors, and the task where it has as many outputs as they. Files
 * written by rankmil are refused. */
RMIL_API RmilModel *rmil_model_load_as(const char *path, const RmilModelConfig *known, GError **error);
RMIL_API gboolean rmil_model_save(const RmilModel *model, const char *path, GError **error);
/* ONNX, for programs without rankmil. Inputs: "features" (K × D, any K); patch-cnn has "tiles" in its place (K × 3 × side × side, float32,
 * ImageNet's mean and SD); hipt also "coords" (K × 2, int64, level-0 px) and
 * "tile_size" (1, float64, level-0 px; patch_size_level0). Outputs: what rmil_model_predict gives; two classes: "probability" (1), "logit"
 * (1); C classes: "probabilities" (C), "logits" (C); survival: "risk" (1) and, by hazards, "survival" (bins); a number: "value" (1); always
 * "attention" and "scores" (K; beyond two classes, of models with several rows, rows × K). Operator set 17; the configuration is kept as
 * metadata. Fails with ARGUMENT beyond 2 GiB. */
RMIL_API gboolean rmil_model_onnx_write(const RmilModel *model, const char *path, GError **error);

/* What a model predicts for one bag. scores (before softmax) and attention (what patches are pooled with; patch-linear: their probabilities, as
 * shares) are the caller's arrays of K floats, or NULL; hipt: every patch carries its region's. */
typedef struct {
    double probability; /* two classes: of label 1; else NaN */
    double logit;       /* two classes: log odds, z for one logit, z_1 − z_0 for two; else NaN */
    double calibrated;  /* the probability (of more than two classes: of the predicted one) as the model is calibrated; NaN: it
                                       * is not */
    double loss;        /* slide loss against the bag's target, when that is known; of patch-linear that of the patches, where they are */
    int predicted;      /* class of the highest probability, the first of equal ones; −1: no classes */
    double answer;      /* survival: risk, higher means earlier; number: the number; classes: NaN */
    int count;          /* of values */
    double values[RMIL_OUTPUTS_MOST]; /* classes: probability of each; discrete-time survival: S at the end of each bin; else none */
} RmilPrediction;
/* Some models have several rows of scores and attention, one per output: clam-mb always (row c: of class c), dsmil with more than two
 * classes or bins, patch-linear with more than two classes. Where no row is asked for it is, of two classes, that of label 1; of more, of
 * the predicted class; else the rows' mean.
 * Thread-safe: the model is only read. target: NULL: not known, loss is then 0. */
RMIL_API gboolean rmil_model_predict(const RmilModel *model, const RmilBag *bag, const RmilTarget *target, RmilPrediction *prediction,
                                     float *scores, float *attention, GError **error);
#define RMIL_ROW_USUAL (-1)
RMIL_API int rmil_model_rows(const RmilModel *model);
/* The same with the scores and attention of one row, 0 … rows − 1, or RMIL_ROW_USUAL. A model with one row has it for all. */
RMIL_API gboolean rmil_model_predict_row(const RmilModel *model, const RmilBag *bag, const RmilTarget *target, int row,
                                         RmilPrediction *prediction, float *scores, float *attention, GError **error);

/* The mean of what `count` ≥ 1 models of one task say: of their probabilities, answers, scores and attention; logit: of the mean
 * probability; predicted: of the mean probabilities. sd (n − 1; NaN for one model): of the probability of label 1, of the predicted of
 * more classes, or of the answer. loss: NaN, but for one model, whose numbers are those of rmil_model_predict. Survival by hazards:
 * where the models' bins differ there are no values. Fails with ARGUMENT when tasks differ. */
RMIL_API gboolean rmil_ensemble_predict(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target,
                                        RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error);
/* The same with the scores and attention of one row (rmil_model_predict_row), for heat maps of one class; usual: of the class that all
 * models together predict. */
RMIL_API gboolean rmil_ensemble_predict_row(const RmilModel *const *models, int64_t count, const RmilBag *bag, const RmilTarget *target,
                                            int row, RmilPrediction *mean, double *sd, float *scores, float *attention, GError **error);

/* -- training: the paper's protocol (docs/models.md, Training) --------------------------------------------------------- */
typedef struct {
    double learning_rate; /* 2e-4 */
    double weight_decay;  /* 1e-5, added to the gradient (L2, not AdamW) */
    int64_t epochs;       /* at most 200 */
    int64_t patience;     /* 7 epochs without a better validation loss */
    int64_t warmup;       /* never stop before epoch 20 */
    int64_t group;        /* slides per Adam step: 8 */
    gboolean balanced; /* class-balanced sampling with replacement (the paper's code); FALSE: shuffle. Of classes alone: times and numbers
                           * are shuffled */
    gboolean stop_metric; /* the best epoch is that of the best val_metric, of equal ones of the smallest val_loss; FALSE: of that alone */
    uint64_t seed;
    int threads;
    /* NULL: `threads` throughout. Else asked before every epoch, by the calling thread, for the number of threads from now on;
     * `now` is what the run has. The result does not depend on it. */
    int (*ask_threads)(gpointer ask_user, int now);
    gpointer ask_user;
    /* patch-cnn: the weight file that its network begins with, and the file's SHA-256, on which the result depends; borrowed. NULL: it begins
     * with random numbers. */
    const char *weights, *weights_sha256;
    /* Parameters to begin with in the place of random ones: those of a model of the same configuration but for what training sets; borrowed.
     * NULL: none. For trainings that nobody records: their result depends on it, and there is no checkpoint of one. */
    const RmilModel *warm;
} RmilTrainConfig;
RMIL_API void rmil_train_config_init(RmilTrainConfig *config);

typedef struct {
    int64_t epoch; /* from 1 */
    double train_loss, train_slide_loss, train_guide_loss, val_loss;
    double val_metric; /* on the validation set: AUROC of two classes, mean AUROC (one against rest) of more, c-index of survival, R² of a
                        * number; NaN: not defined */
    gboolean best;
} RmilEpoch;
RMIL_API const char *rmil_epoch_metric(const RmilTask *task); /* what val_metric is: "AUROC", "mean AUROC", "c-index", "R²" */

/* bags[i] with targets[i]; train and val are index lists into them (no val: no early stop, the last epoch is kept).
 * model->dim 0: that of the bags. Parallel over the bags of a group; the result is the same bit for bit for any number
 * of threads. checkpoint: path of a file kept while training so that a killed run continues to the same result (also with
 * more epochs than before), NULL for none; removed by nobody but the caller. One of another run, or a broken one, is
 * ignored with a warning. history (may be NULL) gets RmilEpoch, epochs of before an interruption included. Fails with
 * RMIL_ERROR_DATA when the training set lacks a class, an event, or different values, sizes differ, or training leaves the finite numbers.
 * The result's configuration holds the edges of bins, or mean and SD, of the training set's targets. Slides that tell a classifier of
 * patches nothing (patch.h) are left out of its training set, with a warning; a class that then has none is such an error. The bags are
 * only read: several runs may share them. */
RMIL_API RmilModel *rmil_train(const RmilModelConfig *model, const RmilTrainConfig *train, const RmilBag *const *bags,
                               const RmilTarget *targets, const int64_t *train_set, int64_t train_count, const int64_t *val_set,
                               int64_t val_count, const char *checkpoint, GArray *history, const RmilMonitor *monitor, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilModel, rmil_model_free)

G_END_DECLS
#endif
