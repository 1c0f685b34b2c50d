import COpenBLAS

/// The BLAS library behind the products.
public enum BLAS {
  /// Picks kernels that fit this CPU, once, before the first product.
  private static let isPrepared: Bool = {
    copenblas_choose_kernels()
    openblas_set_num_threads(1)
    return true
  }()

  static func prepare() { _ = isPrepared }

  /// The name of the kernels in use, `Haswell` or `SkylakeX` say.
  public static var kernels: String {
    prepare()
    return String(cString: openblas_get_corename())
  }

  /// The library's version and build options.
  public static var version: String { String(cString: openblas_get_config()) }

  /// Whether the kernels in use were written for this CPU's vector units.
  public static var fitsProcessor: Bool {
    copenblas_cpu_has_avx2() == 0
      || ["Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"].contains(kernels)
  }
}
