import CMPI

extension MPI {
  /// How messages travel, as the library was configured: `pml=^ucx btl=^openib coll=default …`.
  ///
  /// Open MPI's selections of its message layer (`pml`, `mtl`), transports (`btl`) and collectives
  /// (`coll`), which decide whether a fast network is used at all; empty with other libraries. Belongs
  /// in every report of measured times. MPI-3.1, section 14.3.6.
  public static var transportSettings: String {
    ["pml", "mtl", "btl", "coll"].compactMap { name in
      controlVariable(name).map { "\(name)=\($0.isEmpty ? "default" : $0)" }
    }.joined(separator: " ")
  }

  /// The text of one of the library's control variables, or `nil` if it has none of that name.
  private static func controlVariable(_ name: String) -> String? {
    // Open MPI takes the level that is asked for here as the whole process', so it must be the present one.
    var level = mpi_thread_funneled()
    MPI_Query_thread(&level)
    var provided: Int32 = 0
    guard MPI_T_init_thread(level, &provided) == MPI_SUCCESS else { return nil }
    defer { MPI_T_finalize() }
    var index: Int32 = 0
    var handle = mpi_t_cvar_handle()
    var count: Int32 = 0
    guard MPI_T_cvar_get_index(name, &index) == MPI_SUCCESS,
      MPI_T_cvar_handle_alloc(index, nil, &handle.value, &count) == MPI_SUCCESS
    else { return nil }
    defer { MPI_T_cvar_handle_free(&handle.value) }
    var text = [CChar](repeating: 0, count: Int(count) + 1)
    guard MPI_T_cvar_read(handle.value, &text) == MPI_SUCCESS else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
