/* What the files of the extension share. It sits on tare.h alone; texts cross as str, structures as tuples and JSON. */
#ifndef TARE_PYTHON_BINDING_H
#define TARE_PYTHON_BINDING_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <tare.h>

/* Python keeps functions as void *, which POSIX allows and ISO C does not. */
#define AS_SLOT(function) (__extension__(void *)(function))

/* Py_NewRef() came with 3.10. */
static inline PyObject *kept(PyObject *o) { return Py_XINCREF(o), o; }

typedef struct state { /* of the module */
    PyTypeObject *config, *model, *tensor, *generator, *checkpoint;
} state;
typedef struct config_object {
    PyObject_HEAD
    tare_config *c;
    PyObject *owner; /* of a part: the handle it belongs to */
} config_object;
/* The memory of a model's weights, for as long as anybody sees it. Users come and go without the interpreter's lock. */
typedef struct storage {
    _Atomic size_t users;
    tare_weights *w;
    tare_window *window;   /* in their place: one layer at a time */
    bool fresh;            /* room to draw all in, for those parts of the model alone that lie here */
    struct storage *under; /* where those tensors are that this one does not hold; NULL: nowhere */
} storage;
typedef enum place { PLACE_HERE, PLACE_META, PLACE_ELSEWHERE } place;
typedef struct model_object {
    PyObject_HEAD
    tare_model *m;
    storage *held;      /* NULL: there are no weights, or nobody has asked for one yet */
    PyObject *start;    /* until then: what says where in the stream of random numbers they begin. NULL: nothing is drawn */
    bool drawn;         /* somebody has looked at a value, or it was loaded */
    place places[2];    /* of parameters, of buffers, that are not held */
    PyObject *owner;    /* of a second view of a model: the model_object that m belongs to */
} model_object;
typedef struct tensor_object {
    PyObject_HEAD
    PyObject *model; /* a model_object, which the item belongs to */
    const tare_item *item;
} tensor_object;

typedef struct checkpoint_object {
    PyObject_HEAD
    tare_checkpoint *c;
} checkpoint_object;

/* Raises what an error means in Python, with its code and path as attributes; returns NULL. */
PyObject *raise_error(const tare_error *err);

/* Text that the library writes, gathered without the interpreter's lock. */
typedef struct text { char *data; size_t n, cap; } text;
bool text_take(void *to, const char *data, size_t n);
PyObject *text_done(text *t); /* as str, its memory released; NULL with an exception */

PyObject *config_object_new(state *s, tare_config *c, PyObject *owner); /* takes c, where there is no owner; NULL frees it */
PyObject *config_open(PyObject *module, PyObject *args);
PyObject *config_parse(PyObject *module, PyObject *args);
PyObject *model_make(PyObject *module, PyObject *args, PyObject *named);
PyObject *files_open(PyObject *module, PyObject *args);
bool check_options(PyObject *tuple, tare_check_options *o); /* texts in it live as long as the tuple; false with an exception */
PyObject *plan_make(PyObject *module, PyObject *args);
PyObject *host_memory(PyObject *module, PyObject *nothing);
state *state_of(PyObject *module);

/* Text as an option: None is NULL. False with an exception. */
bool option_text(PyObject *o, const char **out);
/* A list of text as the library takes it, for PyMem_Free(); *out NULL for None. False with an exception. */
bool words_of(PyObject *list, const char ***out);

extern PyType_Spec config_spec, model_spec, tensor_spec, generator_spec, checkpoint_spec;
/* A tensor as an object of that class, which derives from Tensor. */
PyObject *tensor_object_new(state *s, PyTypeObject *of, PyObject *model, const tare_item *item);

/* ---- weights ---- */

storage *storage_new(tare_weights *w, tare_window *window); /* takes the one that is not NULL; NULL frees it, with an exception */
storage *storage_keep(storage *s);
/* The one of the chain that holds a tensor of the model, or NULL; with its memory, and as it is held. */
const storage *storage_of(const model_object *m, const storage *s, const tare_item *tensor, void **data, tare_item *as_held);
void storage_drop(storage *s); /* without the lock too, and NULL is fine */

/* Works without the lock until the end, looking out for signals that the interpreter should see to. */
typedef struct patience {
    PyThreadState *thread;
    unsigned long id;
    int64_t asked; /* when, in milliseconds */
    int64_t began;
    bool raised;
    const char *what, *of; /* what is done, with which class of model */
    PyObject *bar;         /* a bar of tqdm, after a while, where one would be seen */
    tare_init_options how; /* for the library: threads, progress */
} patience;
void patience_begin(patience *p, const char *what, const tare_model *m);
bool patience_end(patience *p); /* false: with the exception of a signal */

PyObject *model_hold(PyObject *self, PyObject *args);
PyObject *model_draw(PyObject *self, PyObject *nothing);
PyObject *model_is_drawn(PyObject *self, void *nothing);
PyObject *model_part(PyObject *self, PyObject *nothing);
PyObject *model_load(PyObject *self, PyObject *args);
PyObject *model_save(PyObject *self, PyObject *args);
PyObject *model_load_over(PyObject *self, PyObject *args);
PyObject *model_window(PyObject *self, PyObject *args);
PyObject *model_window_load(PyObject *self, PyObject *unit);
PyObject *model_users(PyObject *self, void *nothing);
PyObject *model_object_new(state *s, tare_model *m, PyObject *owner); /* takes m, where there is no owner; NULL frees it */
/* A tensor as it is held, or would be. */
tare_item tensor_item(PyObject *tensor);
PyObject *tensor_is_held(PyObject *tensor, void *nothing);
/* The memory of a tensor, made now if it has to be; *held is kept for the caller. NULL with an exception. */
void *tensor_data(PyObject *tensor, storage **held);
void *tensor_room(PyObject *tensor, storage **held); /* the same, and nothing is made */
PyObject *tensor_dlpack(PyObject *self, PyObject *args, PyObject *named);
PyObject *tensor_dlpack_room(PyObject *self, PyObject *nothing);
PyObject *tensor_dlpack_device(PyObject *self, PyObject *nothing);
PyObject *tensor_flat(PyObject *self, PyObject *nothing);
PyObject *tensor_data_ptr(PyObject *self, PyObject *nothing);
int tensor_buffer(PyObject *self, Py_buffer *view, int flags);
void tensor_buffer_end(PyObject *self, Py_buffer *view);

PyObject *generator_new(PyObject *module, PyObject *seed);
PyObject *generator_load(PyObject *module, PyObject *bytes);
tare_generator *generator_of(state *s, PyObject *o); /* NULL with an exception */
#endif
