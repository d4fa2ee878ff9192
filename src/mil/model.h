/* SPDX-License-Identifier: Apache-2.0 */
/* What the trainer needs of a model, and what a model's file needs.
 *
 * A model is one file that defines its RmilModelClass, plus its name in the list in meson.build (docs/extending.md). Its parameters are one
 * flat float array; named tensors are windows of it, in the order in which `layout` adds them. A step processes one bag on one thread,
 * forward and (if requested) backward, in an order of operations that depends only on the bag. */
#ifndef RMIL_MIL_MODEL_H
#define RMIL_MIL_MODEL_H

#include "rankmil/mil.h"
#include "tensors/tensors-private.h"

/* -- scratch memory of a step ----------------------------------------------------------------------------------------- */
/* Memory taken from it is 64-byte aligned, NOT zeroed, and valid until the next reset. Blocks are kept between steps, so that only the
 * first steps ask the system for memory. One arena per thread. */
typedef struct _RmilArena RmilArena;
RmilArena *rmil_arena_new(void);
void rmil_arena_free(RmilArena *arena);
void rmil_arena_reset(RmilArena *arena);
size_t rmil_arena_size(const RmilArena *arena);                                  /* bytes obtained from the system */
size_t rmil_arena_used(const RmilArena *arena);                                  /* bytes in use */
void *rmil_arena_take(RmilArena *arena, int64_t n, size_t size, GError **error); /* n × size bytes; NULL on failure */
static inline float *rmil_arena_floats(RmilArena *arena, int64_t n, GError **error) {
    return rmil_arena_take(arena, n, sizeof(float), error);
}
/* Everything taken after the mark is given back: for scratch inside a loop. */
typedef struct {
    guint block;
    size_t used;
} RmilArenaMark;
RmilArenaMark rmil_arena_mark(const RmilArena *arena);
void rmil_arena_release(RmilArena *arena, RmilArenaMark mark);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilArena, rmil_arena_free)

/* -- parameters --------------------------------------------------------------------------------------------------------- */
typedef enum {
    RMIL_INIT_UNIFORM,  /* uniform in ±scale */
    RMIL_INIT_CONSTANT, /* every entry is scale */
    RMIL_INIT_NORMAL    /* mean 0, SD scale, redrawn if beyond two SD (PyTorch's trunc_normal_) */
} RmilInit;

typedef struct {
    char name[64]; /* as in the released code's state_dict */
    int rank;      /* 1 … 4 */
    int64_t shape[4];
    int64_t count;  /* product of shape */
    int64_t offset; /* of the first entry in the flat array; a multiple of 16 floats */
    RmilInit init;
    double scale;
    gboolean unused; /* not updated by Adam: present only for the released code, learned otherwise, or frozen */
} RmilParameter;

typedef struct {
    GArray *tensors; /* RmilParameter, one per named tensor */
    int64_t count;   /* floats in the flat array, padding included (padding is 0 and stays 0) */
} RmilParameterLayout;

/* Appends a tensor and returns its index. `name` may be a printf format. */
int rmil_parameter_add(RmilParameterLayout *layout, RmilInit init, double scale, int rank, int64_t d0, int64_t d1, int64_t d2,
                       const char *name, ...) G_GNUC_PRINTF(8, 9);
int rmil_parameter_add_shape(RmilParameterLayout *layout, RmilInit init, double scale, int rank, const int64_t *shape, const char *name);
/* nn.Linear: NAME.weight (out × in) and, with `bias`, NAME.bias (out), both uniform in ±1/sqrt(in). Returns the index of the weight; the
 * bias has the next index. */
int rmil_parameter_linear(RmilParameterLayout *layout, const char *name, int64_t out, int64_t in, gboolean bias);

typedef struct _RmilOnnx RmilOnnx;    /* tensors/onnx-graph.h */
typedef struct RmilMember RmilMember; /* guide.h */

/* -- one bag ------------------------------------------------------------------------------------------------------------ */
/* Inputs, which are only read, and the caller's arrays for results. */
typedef struct {
    const RmilModelConfig *config;
    const RmilParameterLayout *layout;
    const float *parameters; /* layout->count */
    const RmilBag *bag;      /* features K × D in bag->precision; dim has been checked against config */
    RmilTarget target;       /* unknown: no loss is computed, and no gradient may be requested */
    const double *slope;   /* one number per output, ∂L/∂logits, for losses over several slides: the slide loss is then slope · logits,
                                * whatever the target. NULL: the task's own loss */
    gboolean train;        /* dropout, pair sampling and CLAM's instance branch are active only in training; for the loss of patches see
                                * patch.h */
    uint64_t seed, stream; /* of all random choices of this step (training only); one stream per (epoch, position) */
    float *gradient;       /* layout->count, OVERWRITTEN with ∂loss/∂parameters (set unused entries to 0); NULL: forward only */
    int64_t keep;          /* bytes that a model may keep for its backward pass; it recomputes the rest, bit for bit (hipt). 0: the
                                * model's own bound */
    const RmilMember *member;  /* what the bags of the step together ask of this one's scores; NULL: it is on its own */
    const float *anchor;       /* rows × units: scores from the averaged copy (rmil_guide_anchor); NULL: none */
    float *scores, *attention; /* rows × K (rmil_model_config_rows), or NULL. hipt: every patch has its region's value */
} RmilStep;

typedef struct {
    double logits[RMIL_OUTPUTS_MOST]; /* rmil_model_outputs values */
    double loss;                      /* the loss that `gradient` belongs to; 0 without a target */
    double slide_loss;                /* only the task's loss (loss.h) */
    double guide_loss;                /* λ × guide (or CLAM's weighted instance loss), 0 if it does not apply */
} RmilOutcome;

/* What a model shows its guide after its forward pass: the score, attention, annotation and tissue share of each patch (hipt: region).
 * count 0: nothing to show. Valid as long as the step's arena. */
typedef struct {
    const float *scores, *attention; /* attention NULL: the model's guides act on scores alone */
    const uint8_t *labels;           /* NULL: unknown */
    const float *tissue;             /* or NULL */
    int64_t count;
    int rows;     /* rows of scores and attention, rows × count; 0: one */
    double scale; /* attention is softmax(scale × scores), before any threshold; 0: 1 */
} RmilGuided;

typedef struct RmilModelClass RmilModelClass;

/* Rows for fields that models share in RmilModelConfig; each model gives its own default. */
#define RMIL_FIELD(field) .offset = offsetof(RmilModelConfig, field), .shared = TRUE
#define RMIL_HIDDEN(width)                                                                                                                 \
    { RMIL_WHOLE("hidden", "hidden", width, 1, 16384, "N", "width of the hidden layer"), RMIL_FIELD(hidden), .place = 2 }
#define RMIL_ATTENTION_DIM(width)                                                                                                          \
    {                                                                                                                                      \
        RMIL_WHOLE("attention-dim", "attention_dim", width, 1, 16384, "N", "width of the attention layer"), RMIL_FIELD(attention_dim),     \
            .place = 3                                                                                                                     \
    }
#define RMIL_DROPOUT                                                                                                                       \
    {                                                                                                                                      \
        RMIL_NUMBER("dropout", "dropout", 0, 0, 0.95, "X", "share of hidden units dropped in training"), RMIL_FIELD(dropout),              \
            .place = 4, .without = "takes no dropout"                                                                                      \
    }
#define RMIL_THRESHOLD                                                                                                                     \
    {                                                                                                                                      \
        RMIL_NUMBER("threshold", "threshold", 1, -RMIL_OPTION_MOST, 1e9, "T", "attention threshold T; -1: none"), RMIL_FIELD(threshold),   \
            .untold = TRUE, .place = 5, .elsewhere = -1, .without = "has no attention threshold: leave it out"                             \
    }

#define RMIL_EVEN_BAGS                                                                                                                     \
    {                                                                                                                                      \
        RMIL_WORD("even-bags", "even_bags", FALSE, rmil_even_bags, "NAME",                                                                 \
                  "for bags of one patch, or of patches with equal scores: ignore the threshold (whole), or apply it (cut)"),              \
            RMIL_FIELD(even_bags), .untold = TRUE, .quiet = TRUE                                                                           \
    }
extern const char *const rmil_even_bags[]; /* options.c: "whole", "cut" */

/* Another program's names for the tensors of a class. */
typedef struct {
    const char *layout, *title; /* "clam", "CLAM" */
    const char *first;          /* a tensor that is in every file of that program and in none of ours */
    /* Its name for one of our tensors; NULL: it has no such tensor. Free with g_free. */
    char *(*name)(const char *ours, const RmilModelClass *class);
    /* The same tensors with our names; they share the file's data, which must stay alive. */
    RmilTensors *(*read)(const RmilTensors *file, GError **error);
} RmilForeignNames;

/* Tasks other than two classes. */
enum { RMIL_TAKES_CLASSES = 1, RMIL_TAKES_SURVIVAL = 2, RMIL_TAKES_NUMBER = 4, RMIL_TAKES_ALL = 7 };

struct RmilModelClass {
    const char *name;
    const char *source;             /* what it is and who published it, for the methods paragraph of reports; NULL: not said */
    const RmilTrainMethod *methods; /* the model with each guide that it supports, first without a guide; the last has no name */
    RmilGuide guide;                /* the default guide */
    int logits;                     /* for two classes: 1 (sigmoid) or 2 (softmax) */
    int tasks;                      /* RMIL_TAKES_…; 0: only two classes */
    /* For a model that computes its own features from the slide's pixels (rmil_bag_read_tile): their number; NULL: it uses the bag's. */
    int64_t (*dim)(const RmilModelConfig *config);
    /* With `dim`: `out` becomes the bag with these features; free out->features with rmil_free. Thread-safe; what it keeps is in
     * model->own, which `release` frees. */
    gboolean (*look)(const RmilModel *model, const RmilBag *bag, RmilBag *out, GError **error);
    void (*release)(gpointer own);
    const struct RmilTrainerKind *trainer; /* NULL: the usual trainer, on bags (epoch.h) */
    gboolean patches; /* learns only from patch labels (patch.h): slides without known patches are left out of training */
    /* Number of rows of scores and attention; NULL: one. If several: one per output, so that row c is that of class c. */
    int (*rows)(const RmilModelConfig *config);
    const char *first;               /* a tensor that identifies a state_dict of this model, whatever the prefix */
    const RmilForeignNames *foreign; /* or NULL */
    /* What guides rank, if not patches: its name, and which units of a bag are annotated, in the arena; NULL: patches. */
    const char *unit;
    gboolean (*units)(const RmilModelConfig *config, const RmilBag *bag, RmilArena *arena, const uint8_t **annotated, int64_t *count,
                      GError **error);
    const RmilOption *options; /* its options, with the paper's values; those in a struct of its own: rmil_model_own */
    /* Checks beyond the bounds of the options; the message has no file name. May be NULL. */
    gboolean (*check)(const RmilModelConfig *config, GError **error);
    /* Adds every tensor; config has passed the checks. The sizes cannot overflow, because the options have bounds. */
    void (*layout)(const RmilModelConfig *config, RmilParameterLayout *layout);
    /* Sets the sizes in config (dim, hidden, attention_dim, depths …) from the tensors of a file that has no configuration (the released
     * code's state_dict); shape gives −1 if there is no such tensor or axis. */
    void (*infer)(RmilModelConfig *config, int64_t (*shape)(gpointer user, const char *name, int axis), gpointer user);
    /* One bag. State between the three calls of a step is in `work`, the class's own struct of this many bytes (zeroed), and in the arena.
     * Steps with other arenas may run in between (step.c). */
    gsize work;
    /* Sets outcome->logits, and fills step->scores and step->attention if they are set; fills *shown (zero before) if guides act on the
     * model. Keeps what the backward pass needs if step->gradient is set. */
    gboolean (*forward)(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, RmilGuided *shown, GError **error);
    /* With a target: outcome->slide_loss and ->loss (the guide's part is added later), slope = ∂loss/∂logits. NULL: rmil_slide_loss. */
    gboolean (*loss)(const RmilStep *step, gpointer work, RmilArena *arena, RmilOutcome *outcome, double *slope, GError **error);
    /* From slope and the guide's gradients of scores and attention (rows × count of *shown, may be overwritten; NULL if nothing was shown;
     * da also NULL if no attention was shown) to all gradients. */
    gboolean (*backward)(const RmilStep *step, gpointer work, const double *slope, float *ds, float *da, RmilArena *arena, GError **error);
    /* The forward pass as an ONNX graph, from rmil_onnx_features to rmil_onnx_outputs. */
    void (*onnx)(const RmilModelConfig *config, RmilOnnx *onnx);
};

/* What a file NAME.c puts into the table: its class, or several. */
#define RMIL_MODEL_FILE(name, ...) const RmilModelClass *const rmil_##name##_models[] = {__VA_ARGS__, NULL}
extern const RmilModelClass *const *const rmil_model_files[]; /* in models.c; ends with NULL, as does each of its lists */

struct _RmilModel {
    RmilModelConfig config;
    const RmilModelClass *class;
    RmilParameterLayout layout;
    float *parameters;
    RmilDecision decision;
    gpointer own; /* the class's own state, made at the first prediction … */
    int threads;  /* … with this many threads */
};

/* Window of tensor `index` in a step's parameters or gradient. */
static inline const RmilParameter *rmil_parameter_at(const RmilParameterLayout *layout, int index) {
    return &g_array_index(layout->tensors, RmilParameter, index);
}
static inline const float *rmil_step_parameter(const RmilStep *step, int index) {
    return step->parameters + rmil_parameter_at(step->layout, index)->offset;
}
static inline float *rmil_step_gradient(const RmilStep *step, int index) {
    return step->gradient + rmil_parameter_at(step->layout, index)->offset;
}

const RmilModelClass *const *rmil_model_classes(void); /* NULL-terminated */
/* Class by name; NULL and *error (which lists the names) if unknown. */
const RmilModelClass *rmil_model_class(const char *name, GError **error);
/* Does the model support this guide? *error names the model and the guide if not. */
gboolean rmil_model_takes(const RmilModelClass *class, RmilGuide guide, GError **error);
/* Number of outputs per bag. Two classes: class->logits; C > 2 classes: C; survival: its bins, or 1 (Cox); a number: 1. */
int rmil_model_outputs(const RmilModelConfig *config);
int rmil_model_config_rows(const RmilModelConfig *config);
/* Does its training use annotations, because it has a guide or learns from patches? */
gboolean rmil_model_annotated(const RmilModelConfig *config);
/* All checks of a configuration before it becomes a model: the bounds of its options, then the class's own checks. */
gboolean rmil_model_config_check(const RmilModelConfig *config, GError **error);
/* in options.c: every row of every model and guide, with its offset from RmilModelConfig, in the order of the model files; the last has no
 * key. */
const RmilOption *rmil_model_options(void);
/* The row with this name (as on the command line), or NULL. */
const RmilOption *rmil_model_option_find(const char *name);
/* Does a file with this configuration contain the option? */
gboolean rmil_model_writes(const RmilModelConfig *config, const RmilOption *option);
/* Does the option belong only to other models, so that it is silently ignored? Name as on the command line. */
gboolean rmil_model_ignores(const RmilModelConfig *config, const char *name);
extern const RmilOption rmil_trainer_options[]; /* in train.c: offsets from RmilTrainConfig */
/* The struct of options that belong only to the configuration's model (or guide), as its rows lay it out. It is inside `config`. */
gpointer rmil_model_own(const RmilModelConfig *config);
gpointer rmil_guide_own(const RmilModelConfig *config);
/* A model whose parameters are not yet set (zero). */
RmilModel *rmil_model_alloc(const RmilModelConfig *config, GError **error);
/* A step that has gone forward and not yet backward. */
typedef struct {
    gpointer work;
    RmilGuided shown;
} RmilPass;
/* Checks the bag against the model (dimension, K, labels), resets the arena and goes forward: *outcome has only the logits. */
gboolean rmil_model_forward(const RmilModel *model, RmilStep *step, RmilArena *arena, RmilPass *pass, RmilOutcome *outcome, GError **error);
/* The rest of the same step, with the same arena: its losses, and its gradient if requested. */
gboolean rmil_model_finish(const RmilModel *model, const RmilStep *step, RmilArena *arena, RmilPass *pass, RmilOutcome *outcome,
                           GError **error);
/* Both. */
gboolean rmil_model_step(const RmilModel *model, RmilStep *step, RmilArena *arena, RmilOutcome *outcome, GError **error);
/* For `infer`: a classifier with this many rows. If the configuration's task has another number of outputs and this can be a number of
 * classes, the task becomes that many classes, named by their numbers. */
void rmil_model_infer_outputs(RmilModelConfig *config, int64_t rows);

#endif
