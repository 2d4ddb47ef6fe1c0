"""The ONNX operators that an agent's file may use, and why some others may not.

What a policy computes in one step is a fixed function of its inputs. Operators that such
functions are made of are listed; everything else is refused, because each further operator is
more of the runtime's code that a stranger's file can reach.
"""

_FAMILIES = {
    "values": "Identity Cast CastLike Constant ConstantOfShape Range OneHot Shape Size",
    "arithmetic": "Add Sub Mul Div Mod Pow Min Max Sum Mean Abs Neg Sign Reciprocal Sqrt Exp Log"
    " Erf Ceil Floor Round Clip Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
    "logic": "And Or Xor Not Equal Greater GreaterOrEqual Less LessOrEqual Where IsNaN IsInf"
    " BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot",
    "activations": "Relu LeakyRelu PRelu ThresholdedRelu Elu Celu Selu Gelu Mish Swish HardSwish"
    " Sigmoid HardSigmoid Tanh Softplus Softsign Softmax LogSoftmax Hardmax",
    "layers": "MatMul Gemm Einsum Conv ConvTranspose LSTM GRU RNN AveragePool MaxPool LpPool"
    " GlobalAveragePool GlobalMaxPool GlobalLpPool Dropout",
    "normalisation": "BatchNormalization LayerNormalization GroupNormalization"
    " RMSNormalization LpNormalization MeanVarianceNormalization LRN",
    "reductions": "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2"
    " ReduceSumSquare ReduceLogSum ReduceLogSumExp ArgMax ArgMin CumSum TopK",
    "rearrangement": "Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Expand Tile"
    " Pad Trilu NonZero DepthToSpace SpaceToDepth Resize Gather GatherElements GatherND"
    " ScatterElements ScatterND",
}
OPERATORS = frozenset(name for names in _FAMILIES.values() for name in names.split())

# What is refused for a reason of its own, so that the message can give it.
REASONS = {
    name: reason
    for reason, names in {
        "control flow": "If Loop Scan SequenceMap",
        "random numbers": "RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
        " Bernoulli Multinomial",
        "a sequence or optional type": "SequenceAt SequenceConstruct SequenceEmpty SequenceErase"
        " SequenceInsert SequenceLength SplitToSequence ConcatFromSequence"
        " Optional OptionalGetElement OptionalHasElement",
        "text": "StringConcat StringNormalizer StringSplit RegexFullMatch",
        "a file decoder": "ImageDecoder",
    }.items()
    for name in names.split()
}
