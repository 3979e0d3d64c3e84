import * as tf from '@tensorflow/tfjs-core';

/** Gradient of one operation: thunks by input name, as TensorFlow.js wants them. */
type Rule = Pick<tf.GradConfig, 'inputsToSave' | 'saveAllInputs' | 'outputsToSave'> & {
  readonly gradient: (
    dy: tf.Tensor,
    saved: tf.Tensor[],
    attributes: Attributes,
  ) => Record<string, () => tf.Tensor>;
};
// The attributes of each operation are TensorFlow.js's own, untyped there too.
type Attributes = tf.NamedAttrMap;

/**
 * Tells the gradient engine how to differentiate what our networks and losses use. The Node build of
 * tfjs-core carries the engine but none of its rules. Rules that are there already stay.
 */
export function registerGradientRules(): void {
  for (const [kernelName, { gradient, ...rule }] of Object.entries({
    ...ARITHMETIC,
    ...LAYERS,
    ...SHAPES,
  })) {
    if ((tf.getGradient(kernelName) as tf.GradConfig | undefined) !== undefined) continue;
    tf.registerGradient({
      kernelName,
      ...rule,
      gradFunc: (dy, saved, attributes) => gradient(dy as tf.Tensor, saved, attributes),
    });
  }
}

/** Sums over the dimensions along which an input of this shape was repeated. */
function sumTo(dy: tf.Tensor, shape: readonly number[]): tf.Tensor {
  if (tf.util.arraysEqual(dy.shape, [...shape])) return dy;
  const length = shape.reduce((product, size) => product * size, 1);
  const rows = dy.size / length;
  if (shape.at(-1) === length && dy.shape.at(-1) === length) {
    // A product with ones is several times faster than a sum over leading dimensions.
    return tf.reshape(tf.matMul(tf.ones([1, rows]), tf.reshape(dy, [rows, length])), [...shape]);
  }
  const axes = tf.backend_util.getReductionAxes([...shape], dy.shape);
  return tf.reshape(tf.sum(dy, axes), [...shape]);
}

const saved = (...names: string[]) => ({ inputsToSave: names });

const ARITHMETIC: Record<string, Rule> = {
  Add: {
    ...saved('a', 'b'),
    gradient: (dy, [a, b]) => ({ a: () => sumTo(dy, a!.shape), b: () => sumTo(dy, b!.shape) }),
  },
  AddN: {
    saveAllInputs: true,
    gradient: (dy, values) => Object.fromEntries(values.map((_, i) => [i, () => tf.clone(dy)])),
  },
  Sub: {
    ...saved('a', 'b'),
    gradient: (dy, [a, b]) => ({
      a: () => sumTo(dy, a!.shape),
      b: () => tf.neg(sumTo(dy, b!.shape)),
    }),
  },
  Multiply: {
    ...saved('a', 'b'),
    gradient: (dy, [a, b]) => ({
      a: () => sumTo(tf.mul(dy, b!), a!.shape),
      b: () => sumTo(tf.mul(dy, a!), b!.shape),
    }),
  },
  RealDiv: {
    ...saved('a', 'b'),
    gradient: (dy, [a, b]) => ({
      a: () => sumTo(tf.div(dy, b!), a!.shape),
      b: () => tf.neg(sumTo(tf.div(tf.mul(dy, a!), tf.square(b!)), b!.shape)),
    }),
  },
  Neg: { gradient: (dy) => ({ x: () => tf.neg(dy) }) },
  Square: { ...saved('x'), gradient: (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(x!, 2)) }) },
  Sqrt: { ...saved('x'), gradient: (dy, [x]) => ({ x: () => tf.div(dy, tf.mul(tf.sqrt(x!), 2)) }) },
  Rsqrt: {
    ...saved('x'),
    gradient: (dy, [x]) => ({ x: () => tf.div(tf.mul(dy, -0.5), tf.mul(x!, tf.sqrt(x!))) }),
  },
  Exp: { outputsToSave: [true], gradient: (dy, [y]) => ({ x: () => tf.mul(dy, y!) }) },
  Log: { ...saved('x'), gradient: (dy, [x]) => ({ x: () => tf.div(dy, x!) }) },
  Sigmoid: {
    outputsToSave: [true],
    gradient: (dy, [y]) => ({ x: () => tf.mul(dy, tf.mul(y!, tf.sub(1, y!))) }),
  },
  Relu: { outputsToSave: [true], gradient: (dy, [y]) => ({ x: () => tf.mul(dy, tf.step(y!)) }) },
  Relu6: {
    ...saved('x'),
    gradient: (dy, [x]) => ({ x: () => tf.mul(dy, tf.mul(tf.step(x!), tf.step(tf.sub(6, x!)))) }),
  },
  Cast: { gradient: (dy) => ({ x: () => tf.clone(dy) }) },
  Identity: { gradient: (dy) => ({ x: () => tf.clone(dy) }) },
};

const LAYERS: Record<string, Rule> = {
  BatchMatMul: {
    ...saved('a', 'b'),
    gradient: (dy, [a, b], attributes) => {
      const [ta, tb] = [attributes['transposeA'] === true, attributes['transposeB'] === true];
      return {
        a: () => (ta ? tf.matMul(b!, dy, tb, true) : tf.matMul(dy, b!, false, !tb)),
        b: () => (tb ? tf.matMul(dy, a!, true, ta) : tf.matMul(a!, dy, !ta, false)),
      };
    },
  },
  Conv2D: {
    ...saved('x', 'filter'),
    gradient: (dy, [x, filter], attributes) => {
      const [inputShape, filterShape] = [x!.shape, filter!.shape];
      return {
        x: () => tf.engine().runKernel('Conv2DBackpropInput', { dy, filter: filter! }, { ...attributes, inputShape }),
        filter: () => tf.engine().runKernel('Conv2DBackpropFilter', { x: x!, dy }, { ...attributes, filterShape }),
      };
    },
  },
  DepthwiseConv2dNative: {
    ...saved('x', 'filter'),
    gradient: (dy, [x, filter], attributes) => {
      const [inputShape, filterShape] = [x!.shape, filter!.shape];
      return {
        x: () => tf.engine().runKernel('DepthwiseConv2dNativeBackpropInput', { dy, filter: filter! }, { ...attributes, inputShape }),
        filter: () => tf.engine().runKernel('DepthwiseConv2dNativeBackpropFilter', { x: x!, dy }, { ...attributes, filterShape }),
      };
    },
  },
  MaxPool: {
    ...saved('x'),
    outputsToSave: [true],
    gradient: (dy, [x, y], attributes) => ({
      x: () => tf.engine().runKernel('MaxPoolGrad', { dy, input: x!, output: y! }, { ...attributes }),
    }),
  },
  Sum: {
    ...saved('x'),
    gradient: (dy, [x], attributes) => ({ x: () => spread(dy, x!, attributes['axis']) }),
  },
  Mean: {
    ...saved('x'),
    gradient: (dy, [x], attributes) => ({
      x: () => tf.mul(spread(dy, x!, attributes['axis']), dy.size / x!.size),
    }),
  },
}; // prettier-ignore

const SHAPES: Record<string, Rule> = {
  Reshape: { ...saved('x'), gradient: (dy, [x]) => ({ x: () => tf.reshape(dy, x!.shape) }) },
  ExpandDims: {
    ...saved('input'),
    gradient: (dy, [x]) => ({ input: () => tf.reshape(dy, x!.shape) }),
  },
  Transpose: {
    gradient: (dy, _, attributes) => ({
      x: () => tf.transpose(dy, tf.backend_util.getUndoAxesPermutation(attributes['perm'] as number[])),
    }),
  },
  Slice: {
    ...saved('x'),
    gradient: (dy, [x], attributes) => ({
      x: () => {
        const begin = attributes['begin'] as number[];
        return tf.pad(dy, x!.shape.map((size, i): [number, number] => [begin[i]!, size - begin[i]! - dy.shape[i]!]));
      },
    }),
  },
  PadV2: {
    ...saved('x'),
    gradient: (dy, [x], attributes) => ({
      x: () => tf.slice(dy, (attributes['paddings'] as [number, number][]).map(([before]) => before), x!.shape),
    }),
  },
  Concat: {
    saveAllInputs: true,
    gradient: (dy, parts, attributes) => {
      const axis = tf.util.parseAxisParam(attributes['axis'] as number, dy.shape)[0]!;
      const pieces = tf.split(dy, parts.map(({ shape }) => shape[axis]!), axis);
      return Object.fromEntries(pieces.map((piece, i) => [i, () => piece]));
    },
  },
}; // prettier-ignore

/** dy, summed over `axis` going forward, repeated to x's shape. */
function spread(dy: tf.Tensor, x: tf.Tensor, axis: unknown): tf.Tensor {
  const axes = tf.util.parseAxisParam((axis ?? x.shape.map((_, i) => i)) as number[], x.shape);
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return tf.mul(tf.reshape(dy, kept), tf.ones(x.shape));
}
