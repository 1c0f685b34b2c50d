// What Swift cannot import from <mpi.h>: constants that are macros.
//
// Handles are opaque pointers in Open MPI and integers in MPICH, so Swift sees them through one-member
// structs and never spells an optional that only one family has. Only MPI 3.1 is used.
#ifndef CMPI_SHIM_H
#define CMPI_SHIM_H

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

typedef struct { MPI_Comm value; } mpi_comm;
typedef struct { MPI_Request value; } mpi_request;
typedef struct { MPI_T_cvar_handle value; } mpi_t_cvar_handle;

static inline mpi_comm mpi_comm_world(void) { mpi_comm c = { MPI_COMM_WORLD }; return c; }
static inline mpi_comm mpi_comm_null(void) { mpi_comm c = { MPI_COMM_NULL }; return c; }
static inline int mpi_comm_is_null(mpi_comm c) { return c.value == MPI_COMM_NULL; }
static inline mpi_request mpi_request_null(void) { mpi_request r = { MPI_REQUEST_NULL }; return r; }

static inline MPI_Info mpi_info_null(void) { return MPI_INFO_NULL; }
static inline MPI_Errhandler mpi_errors_return(void) { return MPI_ERRORS_RETURN; }
static inline MPI_Status *mpi_status_ignore(void) { return MPI_STATUS_IGNORE; }
static inline int mpi_comm_type_shared(void) { return MPI_COMM_TYPE_SHARED; }
static inline int mpi_undefined(void) { return MPI_UNDEFINED; }
static inline int mpi_thread_funneled(void) { return MPI_THREAD_FUNNELED; }
static inline int mpi_thread_serialized(void) { return MPI_THREAD_SERIALIZED; }

// The number that Fortran knows a predefined datatype by: the same on every rank.
static inline int mpi_type_number(MPI_Datatype type) { return (int)MPI_Type_c2f(type); }

static inline MPI_Datatype mpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype mpi_float(void) { return MPI_FLOAT; }
static inline MPI_Datatype mpi_double(void) { return MPI_DOUBLE; }
static inline MPI_Datatype mpi_int8(void) { return MPI_INT8_T; }
static inline MPI_Datatype mpi_int16(void) { return MPI_INT16_T; }
static inline MPI_Datatype mpi_int32(void) { return MPI_INT32_T; }
static inline MPI_Datatype mpi_int64(void) { return MPI_INT64_T; }
static inline MPI_Datatype mpi_uint8(void) { return MPI_UINT8_T; }
static inline MPI_Datatype mpi_uint16(void) { return MPI_UINT16_T; }
static inline MPI_Datatype mpi_uint32(void) { return MPI_UINT32_T; }
static inline MPI_Datatype mpi_uint64(void) { return MPI_UINT64_T; }

static inline MPI_Op mpi_sum(void) { return MPI_SUM; }
static inline MPI_Op mpi_prod(void) { return MPI_PROD; }
static inline MPI_Op mpi_min(void) { return MPI_MIN; }
static inline MPI_Op mpi_max(void) { return MPI_MAX; }
static inline MPI_Op mpi_land(void) { return MPI_LAND; }
static inline MPI_Op mpi_lor(void) { return MPI_LOR; }
static inline MPI_Op mpi_lxor(void) { return MPI_LXOR; }
static inline MPI_Op mpi_band(void) { return MPI_BAND; }
static inline MPI_Op mpi_bor(void) { return MPI_BOR; }
static inline MPI_Op mpi_bxor(void) { return MPI_BXOR; }

#endif
