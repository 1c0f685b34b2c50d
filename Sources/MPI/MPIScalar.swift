public import CMPI

/// A scalar that MPI can carry.
///
/// Values travel as the bytes they are in memory, so all ranks must share one representation (byte
/// order, IEEE floats), as every machine that runs one build of a Swift program does. `mpiType` is
/// what reductions compute with and what ranks compare before a collective.
///
/// To carry a type of your own, return a *predefined* datatype of the same size as the Swift type.
/// `Bool` is deliberately not here: MPI-3.1 has no type that is Swift's `Bool`, so send `UInt8`.
public protocol MPIScalar: BitwiseCopyable, Sendable {
  /// The predefined MPI datatype of the same size and meaning (MPI-3.1, section 3.2.2).
  static var mpiType: MPI_Datatype { get }
  /// A neutral value, for buffers that are about to be received into.
  static var zero: Self { get }
}

extension Float: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_float() }
}

extension Double: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_double() }
}

extension Int8: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_int8() }
}

extension Int16: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_int16() }
}

extension Int32: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_int32() }
}

extension Int64: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_int64() }
}

extension UInt8: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_uint8() }
}

extension UInt16: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_uint16() }
}

extension UInt32: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_uint32() }
}

extension UInt64: MPIScalar {
  public static var mpiType: MPI_Datatype { mpi_uint64() }
}

extension Int: MPIScalar {
  /// Travels as a 64-bit integer, so a rank may send `Int` and another receive `Int64`.
  public static var mpiType: MPI_Datatype { mpi_int64() }
}

extension UInt: MPIScalar {
  /// Travels as a 64-bit unsigned integer.
  public static var mpiType: MPI_Datatype { mpi_uint64() }
}
