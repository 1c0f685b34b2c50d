extension Network {
  /// The first layer as a network of its own, whose outputs are before any ReLU, and the layers after it as another;
  /// nil if there is one layer only.
  public var split: (first: Network, rest: Network?) {
    let border = architecture.layers[0].parameterCount
    func part(_ widths: ArraySlice<Int>, _ parameters: ArraySlice<Float>) -> Network? {
      Architecture(widths: Array(widths)).map { Network($0, parameters: Array(parameters)) }
    }
    guard let first = part(architecture.widths.prefix(2), parameters[..<border]) else {
      preconditionFailure("\(architecture) has a first layer")
    }
    return (first, part(architecture.widths.dropFirst(), parameters[border...]))
  }
}
