/* SPDX-License-Identifier: Apache-2.0 */
/* The page's server: the first tile of a slide, tiles that eight clients ask for at once, from a changed outline to the new heat map on
 * 60 slides, and memory while 500 slides are opened in turn. Client and server share the machine.
 *
 *   bench-serve [SLIDE]   a real slide instead of the generated one of 8192 × 8192 px
 *   bench-serve --large   only the outline, on 200 slides of 8,000 patches of 1,024 numbers: 6.5 GB of disk */
#include "bench.h"
#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <libsoup/soup.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vips/vips.h>

enum { SIDE = 8192, CLIENTS = 8, TILES = 150, SLIDES = 500, FIRSTS = 11, ROUNDS = 7 };

/* Of the cohort that is outlined. */
static struct { int bags, patches, dim; } loop_size = {60, 3000, 512};

static void require(gboolean done, const GError *error, const char *what) {
    if (done) return;
    fprintf(stderr, "bench-serve: %s: %s\n", what, error ? error->message : vips_error_buffer());
    exit(1);
}

static double now_ms(void) { return (double)g_get_monotonic_time() / 1000; }

/* -- what is served ------------------------------------------------------------------------------------------------------------------------ */
static char *make_slide(const char *folder) {
    char *path = g_build_filename(folder, "slide.tiff", NULL);
    uint8_t *rgb = g_malloc((gsize)SIDE * SIDE * 3);
    RmilRng rng;
    rmil_rng_init(&rng, 1, 0);
    for (gsize y = 0; y < SIDE; y++)
        for (gsize x = 0; x < SIDE; x++) {
            const uint64_t bits = rmil_rng_next(&rng);
            const double wave = sin((double)x * 0.11) * sin((double)y * 0.13);
            for (int c = 0; c < 3; c++) rgb[3 * (y * SIDE + x) + (gsize)c] = (uint8_t)(180 + 30 * wave + (double)(bits >> (8 * c) & 15));
        }
    VipsImage *image = vips_image_new_from_memory(rgb, (gsize)SIDE * SIDE * 3, SIDE, SIDE, 3, VIPS_FORMAT_UCHAR), *copy;
    image->Type = VIPS_INTERPRETATION_sRGB;
    require(vips_copy(image, &copy, "xres", 4000.0, "yres", 4000.0, NULL) == 0, NULL, path);
    require(vips_tiffsave(copy, path, "tile", TRUE, "tile_width", 256, "tile_height", 256, "pyramid", TRUE, "compression",
                          VIPS_FOREIGN_TIFF_COMPRESSION_JPEG, "Q", 80, NULL) == 0,
            NULL, path);
    g_object_unref(copy);
    g_object_unref(image);
    g_free(rgb);
    return path;
}

/* The slide under many names, each of which is opened separately. */
static char *make_table(const char *folder, const char *slide) {
    g_autoptr(GString) table = g_string_new("slide,label\n");
    const char *ending = strrchr(slide, '.');
    for (int i = 0; i < SLIDES; i++) {
        g_autofree char *name = g_strdup_printf("s%d%s", i, ending), *path = g_build_filename(folder, name, NULL);
        if (link(slide, path) != 0) require(symlink(slide, path) == 0, NULL, path);
        g_string_append_printf(table, "%s,%d\n", name, i % 2);
    }
    char *path = g_build_filename(folder, "cohort.csv", NULL);
    GError *error = NULL;
    require(rmil_file_write(path, table->str, table->len, &error), error, path);
    return path;
}

static gpointer serve_thread(gpointer serve) {
    rmil_serve_run(serve);
    return NULL;
}

typedef struct {
    RmilPrepareOptions preparation;
    RmilTrainOptions training;
    RmilWork *work;
    RmilServe *serve;
    GThread *thread;
} Server;

static void start(Server *server, const char *table, const char *folder) {
    GError *error = NULL;
    rmil_prepare_options_init(&server->preparation);
    rmil_train_options_init(&server->training);
    server->work = rmil_work_new(folder, &server->preparation, NULL, &error);
    require(server->work && rmil_work_read(server->work, table, &error), error, table);
    RmilServeOptions options;
    rmil_serve_options_init(&options);
    options.work = server->work;
    options.folder = folder;
    options.training = &server->training;
    server->serve = rmil_serve_new(&options, &error);
    require(server->serve != NULL, error, "server");
    server->thread = g_thread_new("serve", serve_thread, server->serve);
}

static void end(Server *server) {
    rmil_serve_stop(server->serve);
    g_thread_join(server->thread);
    rmil_serve_free(server->serve);
    rmil_work_free(server->work);
    rmil_prepare_options_clear(&server->preparation);
    rmil_train_options_clear(&server->training);
}

static GBytes *ask(SoupSession *session, const Server *server, const char *method, const char *path, const char *body, const char *etag) {
    g_autofree char *address = g_strconcat(rmil_serve_address(server->serve), path, NULL);
    g_autoptr(SoupMessage) message = soup_message_new(method, address);
    GError *error = NULL;
    if (etag) soup_message_headers_replace(soup_message_get_request_headers(message), "If-Match", etag);
    if (body) {
        g_autoptr(GBytes) bytes = g_bytes_new(body, strlen(body));
        soup_message_set_request_body_from_bytes(message, "application/json", bytes);
    }
    GBytes *reply = soup_session_send_and_read(session, message, NULL, &error);
    require(reply != NULL, error, path);
    if (soup_message_get_status(message) != 200) {
        fprintf(stderr, "bench-serve: %s: %.*s\n", path, (int)g_bytes_get_size(reply), (const char *)g_bytes_get_data(reply, NULL));
        exit(1);
    }
    return reply;
}

/* -- tiles ------------------------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const Server *server;
    int client, deepest;
    double width, height, *times;
} Client;

static gpointer client_thread(gpointer data) {
    Client *client = data;
    g_autoptr(SoupSession) session = soup_session_new();
    RmilRng rng;
    rmil_rng_init(&rng, 2, (uint64_t)client->client);
    for (int i = 0; i < TILES; i++) {
        const int zoom = (int)rmil_rng_below(&rng, client->deepest + 1);
        const double side = ldexp(256, client->deepest - zoom);
        g_autofree char *path = g_strdup_printf("slide/s%d/tile/%d/%d/%d", client->client % 2, zoom,
                                                (int)rmil_rng_below(&rng, (int64_t)ceil(client->width / side)),
                                                (int)rmil_rng_below(&rng, (int64_t)ceil(client->height / side)));
        const double begin = now_ms();
        g_bytes_unref(ask(session, client->server, "GET", path, NULL, NULL));
        client->times[i] = now_ms() - begin;
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double resident_mib(void) {
    g_autofree char *text = NULL;
    g_file_get_contents("/proc/self/statm", &text, NULL, NULL);
    const char *second = text ? strchr(text, ' ') : NULL;
    return second ? g_ascii_strtod(second, NULL) * 4096 / 1048576 : 0;
}

static void bench_tiles(const Server *server) {
    g_autoptr(SoupSession) session = soup_session_new();
    GError *error = NULL;
    double begin = now_ms(), firsts[FIRSTS];
    g_bytes_unref(ask(session, server, "GET", "slide/s2/tile/0/0/0", NULL, NULL));
    printf("first tile of the first slide, the whole    %6.1f ms\n", now_ms() - begin);
    for (int i = 0; i < FIRSTS; i++) {
        g_autofree char *path = g_strdup_printf("slide/s%d/tile/0/0/0", 3 + i);
        begin = now_ms();
        g_bytes_unref(ask(session, server, "GET", path, NULL, NULL));
        firsts[i] = now_ms() - begin;
    }
    printf("first tile of another slide (median of %d)  %6.1f ms\n", FIRSTS, bench_median(firsts, FIRSTS));
    g_autoptr(GBytes) info = ask(session, server, "GET", "slide/s0", NULL, NULL);
    gsize size;
    const char *text = g_bytes_get_data(info, &size);
    g_autoptr(JsonNode) node = rmil_json_parse(text, size, "slide", &error);
    require(node != NULL, error, "slide");
    JsonObject *object = json_node_get_object(node);
    static double times[CLIENTS * TILES];
    Client clients[CLIENTS];
    GThread *threads[CLIENTS];
    begin = now_ms();
    for (int c = 0; c < CLIENTS; c++) {
        clients[c] = (Client){server,
                              c,
                              (int)json_object_get_int_member(object, "deepest"),
                              (double)json_object_get_int_member(object, "width"),
                              (double)json_object_get_int_member(object, "height"),
                              times + c * TILES};
        threads[c] = g_thread_new("client", client_thread, &clients[c]);
    }
    for (int c = 0; c < CLIENTS; c++) g_thread_join(threads[c]);
    const double seconds = (now_ms() - begin) / 1000;
    qsort(times, CLIENTS * TILES, sizeof *times, compare);
    printf(
        "tiles, %d clients at once: median            %6.1f ms\n                            90 %% within       %6.1f ms\n                            tiles a second    %6.0f\n",
        CLIENTS, times[CLIENTS * TILES / 2], times[CLIENTS * TILES * 9 / 10], CLIENTS * TILES / seconds);
    const double before = resident_mib();
    double most = 0;
    for (int i = 0; i < SLIDES; i++) {
        g_autofree char *path = g_strdup_printf("slide/s%d/tile/2/1/1", i), *thumbnail = g_strdup_printf("slide/s%d/thumbnail", i);
        g_bytes_unref(ask(session, server, "GET", path, NULL, NULL));
        g_bytes_unref(ask(session, server, "GET", thumbnail, NULL, NULL));
        most = MAX(most, resident_mib());
        if (i == SLIDES / 5 || i == SLIDES - 1)
            printf("resident after %3d slides in turn            %6.0f MiB (before: %.0f)\n", i + 1, resident_mib(), before);
    }
    printf("                            at most           %6.0f MiB\n", most);
}

/* -- the loop ----------------------------------------------------------------------------------------------------------------------------------- */
static void make_bag(const char *folder, int number) {
    g_autofree float *features = g_new(float, (gsize)loop_size.patches *(gsize)loop_size.dim);
    g_autofree int64_t *coords = g_new(int64_t, (gsize)loop_size.patches * 2);
    RmilRng rng;
    GError *error = NULL;
    rmil_rng_init(&rng, 5, (uint64_t)number);
    for (int i = 0; i < loop_size.patches; i++) {
        coords[2 * i] = i % 60 * 256;
        coords[2 * i + 1] = i / 60 * 256;
        for (int d = 0; d < loop_size.dim; d++)
            features[(gsize)i * (gsize)loop_size.dim + (gsize)d] = (float)rmil_rng_normal(&rng) + (number % 2 && i < 30 && d < 16 ? 2 : 0);
    }
    g_autofree char *name = g_strdup_printf("b%d.h5", number), *path = g_build_filename(folder, name, NULL);
    const RmilBag bag = {.id = name,
                         .count = loop_size.patches,
                         .dim = loop_size.dim,
                         .precision = RMIL_FLOAT32,
                         .features = features,
                         .coords = coords,
                         .patch_size = 256,
                         .patch_size_level0 = 256,
                         .target_mpp = 0.5};
    require(rmil_bag_write(&bag, path, TRUE, &error), error, path);
}

/* A run's folder as `rankmil run` leaves one: the table with features, and a record. */
static char *make_run(const char *folder) {
    GError *error = NULL;
    g_autoptr(GString) table = g_string_new("id,features,label,split\n");
    for (int i = 0; i < loop_size.bags; i++) {
        make_bag(folder, i);
        g_string_append_printf(table, "b%d,b%d.h5,%d,%s\n", i, i, i % 2, i % 10 < 6 ? "train" : i % 10 < 8 ? "val" : "test");
    }
    char *path = g_build_filename(folder, "cohort.csv", NULL);
    require(rmil_file_write(path, table->str, table->len, &error), error, path);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, &error);
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    rmil_train_options_set(&options, "epochs", "3", NULL);
    g_autoptr(RmilTrainData) data = cohort ? rmil_train_data_load(cohort, &options, NULL, 0, NULL, &error) : NULL;
    require(data != NULL, error, path);
    g_autoptr(GPtrArray) methods = g_ptr_array_new();
    g_ptr_array_add(methods, (gpointer)rmil_method_reference());
    const int64_t seed = 0;
    g_autoptr(RmilStudyPlan) plan = rmil_study_plan_new("run", methods, &options, &seed, 1);
    const RmilStudyOptions to = {.folder = folder, .folders = RMIL_FOLDERS_MANY};
    RmilStudyOutcome outcome;
    require(rmil_study_execute(plan, data, &options, &to, NULL, &outcome, &error), error, "training");
    rmil_study_outcome_clear(&outcome);
    rmil_train_options_clear(&options);
    return path;
}

static char *member(GBytes *bytes, const char *name) {
    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);
    g_autoptr(JsonNode) node = rmil_json_parse(text, size, name, NULL);
    g_autofree char *all = json_object_has_member(json_node_get_object(node), name)
                               ? g_strdup(json_object_get_string_member(json_node_get_object(node), name))
                               : NULL;
    return g_steal_pointer(&all);
}

static int64_t trained(GBytes *bytes) {
    gsize size;
    const char *text = g_bytes_get_data(bytes, &size);
    g_autoptr(JsonNode) node = rmil_json_parse(text, size, "state", NULL);
    JsonObject *loop = json_object_get_object_member(json_node_get_object(node), "loop");
    return json_object_has_member(loop, "result") ? json_object_get_int_member(json_object_get_object_member(loop, "result"), "serial") : 0;
}

static void bench_loop(const char *folder) {
    g_autofree char *table = make_run(folder), *etag = g_strdup("none");
    Server server;
    start(&server, table, folder);
    g_autoptr(SoupSession) session = soup_session_new();
    double times[ROUNDS], first = 0;
    for (int r = -1; r < ROUNDS; r++) {
        g_autofree char *outline = g_strdup_printf(
            "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[%d,0],[%d,256],[0,256],[0,0]]]},"
            "\"properties\":{\"objectType\":\"annotation\",\"classification\":{\"name\":\"Tumor\"}}}]}",
            2560 + 256 * r, 2560 + 256 * r);
        const double begin = now_ms();
        g_autoptr(GBytes) saved = ask(session, &server, "PUT", "slide/b1/outlines", outline, etag);
        g_free(etag);
        etag = member(saved, "etag");
        g_bytes_unref(ask(session, &server, "POST", "retrain", "{\"slide\":\"b1\"}", NULL));
        for (;;) {
            g_autoptr(GBytes) state = ask(session, &server, "GET", "state", NULL, NULL);
            if (trained(state) == r + 2) break;
            g_usleep(10000);
        }
        g_bytes_unref(ask(session, &server, "GET", "slide/b1/heat/now", NULL, NULL));
        if (r < 0) first = now_ms() - begin;
        else times[r] = now_ms() - begin;
    }
    printf(
        "outline changed -> new heat map, %d slides of %d patches, %d features: first (reads them) %.0f ms, then %.0f ms (median of %d)\n",
        loop_size.bags, loop_size.patches, loop_size.dim, first, bench_median(times, ROUNDS), ROUNDS);
    end(&server);
}

int main(int argc, char **argv) {
    GError *error = NULL;
    g_autofree char *folder = g_dir_make_tmp("bench-serve-XXXXXX", &error);
    require(folder && VIPS_INIT("bench-serve") == 0, error, "folder");
    g_autofree char *slides = g_build_filename(folder, "slides", NULL), *run = g_build_filename(folder, "run", NULL);
    g_mkdir(slides, 0777);
    g_mkdir(run, 0777);
    bench_print_machine("bench-serve");
    if (argc > 1 && strcmp(argv[1], "--large") == 0) {
        loop_size.bags = 200, loop_size.patches = 8000, loop_size.dim = 1024;
        bench_loop(run);
        g_autofree char *remove = g_strdup_printf("rm -rf '%s'", folder);
        return system(remove) == 0 ? 0 : 1;
    }
    g_autofree char *slide = argc > 1 ? g_canonicalize_filename(argv[1], NULL) : make_slide(folder), *table = make_table(slides, slide);
    Server server;
    start(&server, table, NULL);
    bench_tiles(&server);
    end(&server);
    bench_loop(run);
    g_autofree char *clean = g_strdup_printf("rm -rf '%s'", folder);
    return system(clean) == 0 ? 0 : 1;
}
