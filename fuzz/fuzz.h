/* SPDX-License-Identifier: Apache-2.0 */
/* Every reader of other programs' files, with arbitrary bytes: readers.c has the table, docs/reliability.md the figures.
 *
 *     make fuzz                             libFuzzer on each (clang), a summary line each
 *     meson test -C build readers           the seeds and findings in fuzz/corpus, with any compiler
 *     RMIL_FUZZ=60 meson test -C build …    and mutations of them, this many seconds per reader */
#ifndef RMIL_FUZZ_H
#define RMIL_FUZZ_H

#include "rankmil/base.h"

#include <stdlib.h>

typedef struct {
    const char *path, *folder; /* a file of these bytes, and the folder it is in, for readers of files */
    const char *data;          /* allocated in exactly this size, so that a step beyond it is seen */
    gsize size;
} FuzzInput;

/* Reads it and uses what it got: a crash, a report of a sanitizer or abort() is a finding. */
typedef void (*FuzzRead)(const FuzzInput *input);

typedef struct {
    const char *name; /* also of its folder in fuzz/corpus */
    const char *file; /* name of the file with the bytes in the folder */
    FuzzRead read;
    FuzzRead begin; /* called once: adds other files that the reader needs; NULL: none */
} FuzzReader;
extern const FuzzReader fuzz_readers[]; /* ends with a name of NULL */
const FuzzReader *fuzz_find(const char *name);

void fuzz_feed(const FuzzReader *reader, const void *data, gsize size);
/* Writes another file into the folder of an input. */
void fuzz_beside(const FuzzInput *input, const char *name, const char *text);

/* A reader gives something or says why not, never both and never neither. */
#define FUZZ_EITHER(got, error)                                                                                                            \
    do {                                                                                                                                   \
        if (((got) != 0) != ((error) == NULL)) abort();                                                                                    \
    } while (0)

/* read-tables.c */
void fuzz_cohort(const FuzzInput *input), fuzz_splits(const FuzzInput *input), fuzz_predictions(const FuzzInput *input);
void fuzz_splits_begin(const FuzzInput *input);
/* read-study.c */
void fuzz_plan(const FuzzInput *input), fuzz_run(const FuzzInput *input), fuzz_record(const FuzzInput *input);
void fuzz_preprocessing(const FuzzInput *input), fuzz_texts(const FuzzInput *input), fuzz_run_begin(const FuzzInput *input);
/* read-annotation.c */
void fuzz_annotation(const FuzzInput *input), fuzz_brush(const FuzzInput *input);
/* read-bag.c */
void fuzz_bag(const FuzzInput *input), fuzz_labels(const FuzzInput *input), fuzz_partial(const FuzzInput *input);
/* read-layout.c */
void fuzz_layout(const FuzzInput *input);
/* read-weights.c */
void fuzz_torch(const FuzzInput *input), fuzz_pickle(const FuzzInput *input), fuzz_safetensors(const FuzzInput *input);
void fuzz_model(const FuzzInput *input), fuzz_checkpoint(const FuzzInput *input), fuzz_onnx(const FuzzInput *input);
/* read-slide.c */
void fuzz_slide(const FuzzInput *input), fuzz_ome(const FuzzInput *input), fuzz_jpeg(const FuzzInput *input),
    fuzz_digits(const FuzzInput *input);
void fuzz_digits_begin(const FuzzInput *input);

#endif
