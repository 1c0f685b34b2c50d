import CMPI

/// How a reduction combines the ranks' values, element by element (MPI-3.1, section 5.9.2).
///
/// Logical and bitwise operations are for integers only; for floating point they are an error on every
/// rank. Logical results are 0 or 1, except that a single rank's values
/// come back as they are.
///
/// Keep integer sums and products within their type. MPI does not say what overflow does, and Open MPI
/// 4.1's 8- and 16-bit sums saturate in its vector loops and wrap in the rest of the array.
public enum ReduceOperation: String, CaseIterable, Sendable {
  case sum, product, minimum, maximum
  case logicalAnd, logicalOr, logicalXor
  case bitwiseAnd, bitwiseOr, bitwiseXor

  /// Whether the operation means anything for elements of type `S`.
  func applies<S: MPIScalar>(to _: S.Type) -> Bool {
    switch self {
    case .sum, .product, .minimum, .maximum: true
    default: S.self is any BinaryInteger.Type
    }
  }

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
