/* SPDX-License-Identifier: Apache-2.0 */
/* How a slide is made: plan (cohort) -> anatomy (a coarse map of tissue kinds, with lesions) -> render (stain densities, nuclei) -> optics
 * and artefacts (RGB) -> TIFF. All lengths below are pixels at 0.5 µm/px times `scale`. */
#ifndef RMIL_SYNTH_PRIVATE_H
#define RMIL_SYNTH_PRIVATE_H

#include "base/base-private.h"
#include "rankmil/synth.h"
#include "task-private.h"

/* -- noise -------------------------------------------------------------------------------------------------------------- */
uint32_t rmil_synth_hash(uint32_t seed, int32_t x, int32_t y);
/* Gradient noise on the unit lattice, about −1 … 1; with periods > 0 it repeats after that many lattice cells. */
float rmil_synth_noise(uint32_t seed, float x, float y, int period_x, int period_y);
/* Sum of `octaves` of it, each with twice the frequency and half the strength. */
float rmil_synth_fbm(uint32_t seed, float x, float y, int octaves);

/* -- plan of the cohort --------------------------------------------------------------------------------------------------- */
/* Lesion share = annotated area / bounding box of the tissue. Camelyon16's training slides follow a log-normal distribution:
 * tests/synth/fit-shares.py. A share smaller than three or four cells on a slide of this size is raised to that. */
#define RMIL_SYNTH_SHARE_MU (-6.366)
#define RMIL_SYNTH_SHARE_SIGMA 2.564
#define RMIL_SYNTH_SHARE_MAX 0.22

typedef struct {
    char id[24], patient[24];
    int label;
    gboolean test;
    int number, site, subtype; /* the patient's, from 1; site and named subtype of tumour from 1, or 0 */
    double share;              /* requested; 0 for a negative slide */
    int64_t width, height;
    uint64_t stream; /* of this slide's random numbers */
} RmilSynthPlan;
gboolean rmil_synth_check(const RmilSynthOptions *options, GError **error);
/* options->slides plans; free with g_free. */
RmilSynthPlan *rmil_synth_plan(const RmilSynthOptions *options);
/* Outcomes of the slides' patients, from the actual lesion shares. Free with g_free. */
RmilSynthCase *rmil_synth_plan_cases(const RmilSynthPlan *plans, const double *shares, int64_t count, uint64_t seed);

/* -- anatomy ------------------------------------------------------------------------------------------------------------------ */
#define RMIL_SYNTH_CELL 8 /* px per side of a map cell */
typedef enum {
    RMIL_SYNTH_GLASS,
    RMIL_SYNTH_COLLAGEN, /* capsule, trabeculae: dense, fibres along the outline */
    RMIL_SYNTH_LOOSE,    /* loose connective tissue around the node */
    RMIL_SYNTH_FAT,
    RMIL_SYNTH_CORTEX, /* small lymphocytes */
    RMIL_SYNTH_MANTLE, /* their densest ring around a germinal centre */
    RMIL_SYNTH_CENTRE, /* germinal centre: larger, paler nuclei */
    RMIL_SYNTH_SINUS,  /* pale, few cells */
    RMIL_SYNTH_WALL,   /* muscular vessel wall */
    RMIL_SYNTH_BLOOD,
    RMIL_SYNTH_HISTIO, /* sheets of histiocytes: benign, large pale nuclei */
    RMIL_SYNTH_TUMOUR,
    RMIL_SYNTH_SEPTUM, /* thin stroma between tumour nests */
    RMIL_SYNTH_NECROSIS,
    RMIL_SYNTH_KINDS
} RmilSynthKind;

#define RMIL_SYNTH_HARMONICS 7
/* A star-shaped outline: radius(θ) = r · (1 + Σ a_k cos(kθ + φ_k)), squeezed along one axis, capped in each direction. */
typedef struct {
    double x, y, r, stretch, angle;
    double amplitude[RMIL_SYNTH_HARMONICS], phase[RMIL_SYNTH_HARMONICS];
    double cap[128]; /* largest radius in each of 128 directions */
} RmilSynthOutline;

typedef struct {
    RmilSynthOutline truth; /* tumour cells lie inside this … */
    GArray *polygon;        /* … and the pathologist's line runs slightly outside: double x, y pairs */
    gboolean exclusion;     /* normal tissue inside another lesion; the line runs inside it */
    int group;              /* 0, 1 or 2: "_0", "_1", "_2" */
} RmilSynthLesion;

typedef struct {
    int64_t width, height; /* of the map, in cells */
    double scale;
    uint8_t *kind;         /* RmilSynthKind */
    float *depth;          /* px inside the node's outline, negative outside */
    float *across, *along; /* coordinates (px) of the fibres: across and along the capsule, septum or vessel that they belong to */
    GArray *lesions;       /* RmilSynthLesion */
    int64_t box[4];        /* tissue: x0, y0, x1, y1 in px */
    double share;          /* actual */
} RmilSynthAnatomy;
RmilSynthAnatomy *rmil_synth_anatomy_new(const RmilSynthOptions *options, const RmilSynthPlan *plan, GError **error);
void rmil_synth_anatomy_free(RmilSynthAnatomy *anatomy);
/* Lesions with the requested total area, placed in the nodes and drawn into `kind`. */
void rmil_synth_lesions_add(RmilSynthAnatomy *anatomy, const RmilSynthPlan *plan, uint64_t seed);
void rmil_synth_lesion_clear(gpointer lesion);
/* ASAP's XML. subtype: its name is the group of the lesions, a part of the group Tumor; 0: "_0", "_1". Free with g_free. */
char *rmil_synth_asap(const RmilSynthAnatomy *anatomy, int subtype);

/* -- textures and nuclei, made once and shared by all slides --------------------------------------------------------------------- */
#define RMIL_SYNTH_TILE 1024 /* textures and point sets repeat after this many px */
#define RMIL_SYNTH_LAYERS 10
#define RMIL_SYNTH_DENSITY (1.0 / 80) /* optical density (base e) per unit of the 8-bit stain densities */
typedef struct {
    uint8_t h, e; /* haematoxylin, eosin; eosin above 100 turns into the red of erythrocytes */
} RmilSynthStainPair;
typedef struct {
    int16_t x, y;
} RmilSynthPoint;

typedef enum {
    RMIL_SYNTH_LYMPHOCYTE,
    RMIL_SYNTH_BLAST, /* centroblasts, immunoblasts */
    RMIL_SYNTH_HISTIOCYTE,
    RMIL_SYNTH_SPINDLE,    /* fibroblasts, endothelium */
    RMIL_SYNTH_MACROPHAGE, /* pale body with debris */
    RMIL_SYNTH_CANCER,     /* vesicular, pleomorphic, nucleoli */
    RMIL_SYNTH_CANCER_LOW, /* smaller, more regular: a low-grade tumour */
    RMIL_SYNTH_ERYTHROCYTE,
    RMIL_SYNTH_DUCTAL, /* the following are made only if a cohort has named subtypes, in the order of their labels */
    RMIL_SYNTH_LOBULAR,
    RMIL_SYNTH_MUCINOUS,
    RMIL_SYNTH_PAPILLARY,
    RMIL_SYNTH_SQUAMOUS,
    RMIL_SYNTH_SPRITES
} RmilSynthSprite;
#define RMIL_SYNTH_VARIANTS 96
typedef struct {
    int size;               /* px per side */
    uint8_t *alpha, *h, *e; /* size × size */
} RmilSynthStamp;

typedef struct {
    RmilSynthStainPair *texture[RMIL_SYNTH_KINDS]; /* 1024 × 1024; NULL for glass; some kinds share one */
    float *layer[RMIL_SYNTH_LAYERS];               /* periodic noise, 1024 × 1024, from which the textures are mixed */
    int8_t *ragged;                                /* 256 × 256 × 2: displacement of a border in px */
    RmilSynthStamp stamp[RMIL_SYNTH_SPRITES][RMIL_SYNTH_VARIANTS];
    GArray *points[4]; /* RmilSynthPoint: dense, medium, wide (tumour, histiocytes), sparse */
    GPtrArray *owned;
} RmilSynthAtlas;
/* classes: number of classes of the cohort, including normal; 0: none has a name. */
RmilSynthAtlas *rmil_synth_atlas_new(uint64_t seed, double scale, int classes, int threads, GError **error);
void rmil_synth_atlas_free(RmilSynthAtlas *atlas);
void rmil_synth_atlas_layer(RmilSynthAtlas *atlas, uint64_t seed, double scale, int64_t layer);
void rmil_synth_atlas_texture(RmilSynthAtlas *atlas, uint64_t seed, double scale, RmilSynthKind kind);
void rmil_synth_atlas_stamps(RmilSynthAtlas *atlas, uint64_t seed, double scale, int sprites); /* makes the first `sprites` */

typedef struct {
    RmilSynthSprite sprite;
    uint8_t set;               /* set of points for nuclei, as in RmilSynthAtlas */
    uint16_t chance;           /* probability that a point has a nucleus, in thousandths */
    float h, e;                /* added to the haematoxylin of the ground; factor of its eosin */
    float nest, septum, gland; /* growth of the tumour: px, widths as noise levels; gland 2: none */
} RmilSynthSubtype;
const RmilSynthSubtype *rmil_synth_subtype(int label); /* NULL: label 0, tumour without a named subtype */

/* -- stain, render, artefacts, file ------------------------------------------------------------------------------------------------ */
typedef struct {
    double glass[3];
    uint8_t *table; /* 256 × 256 × 4: RGB of (h, e) */
    int blur;       /* passes of the microscope's point spread */
} RmilSynthStain;
gboolean rmil_synth_stain_init(RmilSynthStain *stain, uint64_t seed, const RmilSynthPlan *plan, GError **error);
void rmil_synth_stain_clear(RmilSynthStain *stain);

typedef struct {
    int64_t width, height;
    uint8_t *h, *e, *rgb; /* densities; the picture */
} RmilSynthCanvas;
void rmil_synth_render(RmilSynthCanvas *canvas, const RmilSynthAnatomy *anatomy, const RmilSynthAtlas *atlas, const RmilSynthPlan *plan,
                       uint64_t seed);
/* Before stain is turned into light: folds, regions out of focus. After: pen, air bubbles, dust. */
void rmil_synth_artefacts_density(RmilSynthCanvas *canvas, const RmilSynthAnatomy *anatomy, const RmilSynthPlan *plan, uint64_t seed);
void rmil_synth_develop(RmilSynthCanvas *canvas, const RmilSynthStain *stain, const RmilSynthPlan *plan, uint64_t seed);
void rmil_synth_artefacts_light(RmilSynthCanvas *canvas, const RmilSynthAnatomy *anatomy, const RmilSynthPlan *plan, uint64_t seed);
/* Call once, before threads are started. */
gboolean rmil_synth_picture_start(GError **error);
gboolean rmil_synth_tiff_write(const RmilSynthCanvas *canvas, double mpp, const char *identity, const char *path, GError **error);
/* width × height × bands (3: RGB, 1: gray). */
gboolean rmil_synth_jpeg_write(const uint8_t *pixels, int64_t width, int64_t height, int bands, const char *identity, const char *path,
                               GError **error);
/* The identity text in an existing picture, or NULL. Free with g_free. */
char *rmil_synth_picture_identity(const char *path);

/* -- folders ------------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *name;
    const char *slides[2][2]; /* folder by set (0 training, 1 test) and label */
    const char *slide_suffix;
    const char *truths[2]; /* folder of positive slides' annotations by set */
    const char *truth_suffix;
    gboolean jpeg;                                       /* slides and masks are JPEG; otherwise TIFF and ASAP's XML */
    void (*rename)(RmilSynthPlan *plans, int64_t count); /* sets ids and sets as in the data set; or NULL */
    /* Called last: the table of the cohort; or NULL. */
    gboolean (*finish)(const char *folder, const RmilSynthOptions *options, const RmilSynthPlan *plans, const double *shares,
                       GError **error);
} RmilSynthLayout;
const RmilSynthLayout *rmil_synth_layout(const char *name, GError **error); /* name NULL: the first, rankmil's own */
/* Paths; free with g_free. */
char *rmil_synth_layout_slide(const RmilSynthLayout *layout, const char *folder, const RmilSynthPlan *plan);
char *rmil_synth_layout_truth(const RmilSynthLayout *layout, const char *folder, const RmilSynthPlan *plan);
gboolean rmil_synth_layout_write_truth(const RmilSynthLayout *layout, const RmilSynthAnatomy *anatomy, const RmilSynthPlan *plan,
                                       const char *identity, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSynthAnatomy, rmil_synth_anatomy_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RmilSynthAtlas, rmil_synth_atlas_free)

#endif
