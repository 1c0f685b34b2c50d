# What mpirun and its ranks need on one machine; sourced by the other scripts.
#
# On a cluster, your own settings win: nothing that is set already is changed.

# mpirun refuses to run as root unless it is told twice.
export OMPI_ALLOW_RUN_AS_ROOT="${OMPI_ALLOW_RUN_AS_ROOT:-1}"
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="${OMPI_ALLOW_RUN_AS_ROOT_CONFIRM:-1}"

# More ranks than cores are welcome (Open MPI 4, then 5), and yield to each other while they wait.
export OMPI_MCA_rmaps_base_oversubscribe="${OMPI_MCA_rmaps_base_oversubscribe:-1}"
export PRTE_MCA_rmaps_default_mapping_policy="${PRTE_MCA_rmaps_default_mapping_policy:-:oversubscribe}"
export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"

# Unbound: two jobs on one node would otherwise both bind to its first cores.
export OMPI_MCA_hwloc_base_binding_policy="${OMPI_MCA_hwloc_base_binding_policy:-none}"
export PRTE_MCA_hwloc_default_binding_policy="${PRTE_MCA_hwloc_default_binding_policy:-none}"
export OMPI_MCA_btl_base_warn_component_unused="${OMPI_MCA_btl_base_warn_component_unused:-0}"

# A crash says what it must in a line, not in sixty a rank.
export SWIFT_BACKTRACE="${SWIFT_BACKTRACE:-enable=no}"

# mpirun puts a pipe before the terminal; this tells rank 0 that there is one.
if [ -t 2 ]; then export PERMAVG_LIVE="${PERMAVG_LIVE:-1}"; fi
