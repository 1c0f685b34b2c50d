import CMPI

/// How a reduction combines the ranks' values, element by element (MPI-3.1, section 5.9.2).
///
/// Logical and bitwise operations are for integers only; MPI refuses them for floating point, and the
/// refusal is thrown on every rank. Logical results are 0 or 1.
public enum ReduceOperation: String, CaseIterable, Sendable {
  case sum, product, minimum, maximum
  case logicalAnd, logicalOr, logicalXor
  case bitwiseAnd, bitwiseOr, bitwiseXor

  var mpiOp: MPI_Op {
    switch self {
    case .sum: mpi_sum()
    case .product: mpi_prod()
    case .minimum: mpi_min()
    case .maximum: mpi_max()
    case .logicalAnd: mpi_land()
    case .logicalOr: mpi_lor()
    case .logicalXor: mpi_lxor()
    case .bitwiseAnd: mpi_band()
    case .bitwiseOr: mpi_bor()
    case .bitwiseXor: mpi_bxor()
    }
  }
}
