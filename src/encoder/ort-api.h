/* SPDX-License-Identifier: Apache-2.0 */
/* The part of ONNX Runtime's C API that is used. The library returns a table of functions with fixed positions: later versions only append
 * to it. `unused` stands for unused positions; the asserts below check the position of each run of functions. */
#ifndef RMIL_ORT_API_H
#define RMIL_ORT_API_H

#include <stddef.h>
#include <stdint.h>

enum { RMIL_ORT_API = 11, RMIL_ORT_QUIET = 4, RMIL_ORT_TENSOR = 1, RMIL_ORT_ARENA = 1, RMIL_ORT_DEFAULT_MEMORY = 0 };
enum { RMIL_ORT_FLOAT = 1, RMIL_ORT_FLOAT16 = 10 }; /* ONNX's numbers for types */

/* The library's own objects: each is created by a function of the table, and freed by one. A NULL status means success. */
typedef struct OrtStatus RmilOrtStatus;
typedef struct OrtEnv RmilOrtEnv;
typedef struct OrtSession RmilOrtSession;
typedef struct OrtSessionOptions RmilOrtOptions;
typedef struct OrtValue RmilOrtValue;
typedef struct OrtTypeInfo RmilOrtType;
typedef struct OrtTensorTypeAndShapeInfo RmilOrtShape;
typedef struct OrtMemoryInfo RmilOrtMemory;
typedef struct OrtAllocator RmilOrtAllocator;
typedef struct OrtProviderOptions RmilOrtProvider; /* stands for those of CUDA and of TensorRT */

/* For each accelerator with options of its own. Keys and values are strings. */
typedef RmilOrtStatus *(*RmilOrtAppend)(RmilOrtOptions *options, const RmilOrtProvider *provider);
typedef RmilOrtStatus *(*RmilOrtCreate)(RmilOrtProvider **provider);
typedef RmilOrtStatus *(*RmilOrtUpdate)(RmilOrtProvider *provider, const char *const *keys, const char *const *values, size_t count);
typedef void (*RmilOrtRelease)(RmilOrtProvider *provider);

typedef struct {
    void (*unused_0[2])(void);
    const char *(*message)(const RmilOrtStatus *status); /* owned by the status */
    RmilOrtStatus *(*create_env)(int level, const char *name, RmilOrtEnv **env);
    void (*unused_4[3])(void);
    RmilOrtStatus *(*create_session)(const RmilOrtEnv *env, const char *path, const RmilOrtOptions *options, RmilOrtSession **session);
    void (*unused_8)(void);
    /* Thread-safe. values: NULL before, set by the call. */
    RmilOrtStatus *(*run)(RmilOrtSession *session, const void *how, const char *const *inputs, const RmilOrtValue *const *given, size_t in,
                          const char *const *outputs, size_t out, RmilOrtValue **values);
    RmilOrtStatus *(*create_options)(RmilOrtOptions **options);
    void (*unused_11[11])(void);
    RmilOrtStatus *(*set_log_level)(RmilOrtOptions *options, int level);
    void (*unused_23)(void);
    RmilOrtStatus *(*set_threads)(RmilOrtOptions *options, int threads); /* of one operator: 1 is only the caller */
    RmilOrtStatus *(*set_threads_between)(RmilOrtOptions *options, int threads);
    void (*unused_26[4])(void);
    RmilOrtStatus *(*input_count)(const RmilOrtSession *session, size_t *count);
    RmilOrtStatus *(*output_count)(const RmilOrtSession *session, size_t *count);
    void (*unused_32)(void);
    RmilOrtStatus *(*input_type)(const RmilOrtSession *session, size_t index, RmilOrtType **type);
    RmilOrtStatus *(*output_type)(const RmilOrtSession *session, size_t index, RmilOrtType **type);
    void (*unused_35)(void);
    RmilOrtStatus *(*input_name)(const RmilOrtSession *session, size_t index, RmilOrtAllocator *allocator, char **name);
    RmilOrtStatus *(*output_name)(const RmilOrtSession *session, size_t index, RmilOrtAllocator *allocator, char **name);
    void (*unused_38[11])(void);
    /* On the caller's memory, which must outlive the value. */
    RmilOrtStatus *(*create_tensor)(const RmilOrtMemory *memory, void *data, size_t bytes, const int64_t *shape, size_t rank, int element,
                                    RmilOrtValue **value);
    void (*unused_50)(void);
    RmilOrtStatus *(*tensor_data)(RmilOrtValue *value, void **data);
    void (*unused_52[3])(void);
    RmilOrtStatus *(*tensor_of_type)(const RmilOrtType *type, const RmilOrtShape **shape); /* the type's; must not be freed */
    RmilOrtStatus *(*kind_of_type)(const RmilOrtType *type, int *kind);
    void (*unused_57[3])(void);
    RmilOrtStatus *(*element)(const RmilOrtShape *shape, int *element);
    RmilOrtStatus *(*rank)(const RmilOrtShape *shape, size_t *rank);
    RmilOrtStatus *(*dimensions)(const RmilOrtShape *shape, int64_t *dimensions, size_t rank); /* -1: any */
    void (*unused_63[2])(void);
    RmilOrtStatus *(*shape_of_value)(const RmilOrtValue *value, RmilOrtShape **shape);
    void (*unused_66[3])(void);
    RmilOrtStatus *(*cpu_memory)(int allocator, int kind, RmilOrtMemory **memory);
    void (*unused_70[6])(void);
    RmilOrtStatus *(*allocator_free)(RmilOrtAllocator *allocator, void *data);
    void (*unused_77)(void);
    RmilOrtStatus *(*allocator)(RmilOrtAllocator **allocator); /* the library's; must not be freed */
    void (*unused_79[13])(void);
    void (*release_env)(RmilOrtEnv *env);
    void (*release_status)(RmilOrtStatus *status);
    void (*release_memory)(RmilOrtMemory *memory);
    void (*release_session)(RmilOrtSession *session);
    void (*release_value)(RmilOrtValue *value);
    void (*unused_97)(void);
    void (*release_type)(RmilOrtType *type);
    void (*release_shape)(RmilOrtShape *shape);
    void (*release_options)(RmilOrtOptions *options);
    void (*unused_101[24])(void);
    RmilOrtStatus *(*providers)(char ***names, int *count); /* those that the library was built with */
    RmilOrtStatus *(*release_providers)(char **names, int count);
    void (*unused_127[43])(void);
    RmilOrtAppend append_tensorrt;
    RmilOrtCreate create_tensorrt;
    RmilOrtUpdate update_tensorrt;
    void (*unused_173)(void);
    RmilOrtRelease release_tensorrt;
    void (*unused_175[29])(void);
    RmilOrtAppend append_cuda;
    RmilOrtCreate create_cuda;
    RmilOrtUpdate update_cuda;
    void (*unused_207)(void);
    RmilOrtRelease release_cuda;
} RmilOrtApi;

#define RMIL_ORT_AT(member, place)                                                                                                         \
    _Static_assert(offsetof(RmilOrtApi, member) == (place) * sizeof(void (*)(void)), #member " stands at another place")
RMIL_ORT_AT(message, 2);
RMIL_ORT_AT(create_session, 7);
RMIL_ORT_AT(create_options, 10);
RMIL_ORT_AT(set_log_level, 22);
RMIL_ORT_AT(set_threads_between, 25);
RMIL_ORT_AT(input_count, 30);
RMIL_ORT_AT(output_type, 34);
RMIL_ORT_AT(output_name, 37);
RMIL_ORT_AT(create_tensor, 49);
RMIL_ORT_AT(tensor_data, 51);
RMIL_ORT_AT(kind_of_type, 56);
RMIL_ORT_AT(dimensions, 62);
RMIL_ORT_AT(shape_of_value, 65);
RMIL_ORT_AT(cpu_memory, 69);
RMIL_ORT_AT(allocator_free, 76);
RMIL_ORT_AT(allocator, 78);
RMIL_ORT_AT(release_env, 92);
RMIL_ORT_AT(release_options, 100);
RMIL_ORT_AT(release_providers, 126);
RMIL_ORT_AT(append_tensorrt, 170);
RMIL_ORT_AT(release_tensorrt, 174);
RMIL_ORT_AT(append_cuda, 204);
RMIL_ORT_AT(release_cuda, 208);
#undef RMIL_ORT_AT

/* Returned by the library's only symbol, OrtGetApiBase. */
typedef struct {
    const RmilOrtApi *(*api)(uint32_t version); /* NULL: this version is unknown, which is printed on standard error */
    const char *(*version)(void);               /* "1.20.1"; the middle number is its newest API */
} RmilOrtBase;

#endif
