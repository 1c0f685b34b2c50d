/// Exported graphs by hand, as `scripts/export_graph.py` writes them of PyTorch's models.
public enum ExportedJSON {
  /// A node, its arguments in JSON.
  public static func node(
    _ name: String, _ kind: String, _ arguments: String, _ shapes: [[Int]]
  ) -> String {
    #"{"name":"\#(name)","operator":"aten.\#(kind).default","arguments":{\#(arguments)},"shapes":\#(shapes)}"#
  }

  /// A tensor of the state dict.
  public static func tensor(
    _ names: String..., shape: [Int], kind: String = "parameter", type: String = "F32"
  ) -> String {
    #"{"names":\#(names),"shape":\#(shape),"kind":"\#(kind)","type":"\#(type)"}"#
  }

  /// A graph of one input, which is called x.
  public static func graph(
    tensors: [String], input: [Int], constants: [String] = [], nodes: [String], outputs: [String]
  ) -> String {
    #"{"format":"permavg-graph","version":1,"model":"Net","tensors":[\#(tensors.joined(separator: ","))],"#
      + #""inputs":[{"name":"x","shape":\#(input)}],"constants":[\#(constants.joined(separator: ","))],"#
      + #""nodes":[\#(nodes.joined(separator: ","))],"outputs":\#(outputs)}"#
  }

  /// A multi-layer perceptron of two samples whose dense layers have some names.
  public static func perceptron(_ widths: [Int], _ names: [String]) -> String {
    var tensors: [String] = []
    var nodes: [String] = []
    var last = "x"
    for (layer, name) in names.enumerated() {
      let (inputs, outputs) = (widths[layer], widths[layer + 1])
      tensors.append(tensor("\(name).weight", shape: [outputs, inputs]))
      tensors.append(tensor("\(name).bias", shape: [outputs]))
      nodes.append(
        node(
          "linear\(layer)", "linear",
          #""input":{"value":"\#(last)"},"weight":{"tensor":"\#(name).weight"},"bias":{"tensor":"\#(name).bias"}"#,
          [[2, outputs]]))
      last = "linear\(layer)"
      if layer < names.count - 1 {
        nodes.append(node("relu\(layer)", "relu", #""self":{"value":"\#(last)"}"#, [[2, outputs]]))
        last = "relu\(layer)"
      }
    }
    return graph(tensors: tensors, input: [2, widths[0]], nodes: nodes, outputs: [last])
  }
}
