import * as tf from '@tensorflow/tfjs-core';

const PRODUCT = 'BatchMatMul';
const straightened = new Set<string>();

/**
 * Makes a backend lay out a transposed factor before it multiplies. The WASM backend multiplies
 * straight rows by XNNPACK, transposed ones by a plain loop that takes eight times as long: in training
 * that is both factors' gradients and every table of similarities.
 */
export function registerStraightProducts(backendName: string): void {
  if (straightened.has(backendName)) return;
  straightened.add(backendName);
  const product = tf.getKernel(PRODUCT, backendName);
  const transpose = tf.getKernel('Transpose', backendName);
  tf.unregisterKernel(PRODUCT, backendName);
  tf.registerKernel({
    ...product,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const laid: tf.TensorInfo[] = [];
      const straight = (factor: tf.TensorInfo, transposed: unknown): tf.TensorInfo => {
        if (transposed !== true) return factor;
        const rank = factor.shape.length;
        const order = Array.from({ length: rank }, (_, axis) => axis);
        [order[rank - 2], order[rank - 1]] = [rank - 1, rank - 2];
        const perm = { perm: order };
        const turned = transpose.kernelFunc({ inputs: { x: factor }, attrs: perm, backend });
        laid.push(turned as tf.TensorInfo);
        return turned as tf.TensorInfo;
      };
      const made = product.kernelFunc({
        inputs: {
          a: straight(inputs['a']!, attrs?.['transposeA']),
          b: straight(inputs['b']!, attrs?.['transposeB']),
        },
        attrs: { ...attrs, transposeA: false, transposeB: false },
        backend,
      });
      for (const { dataId } of laid)
        (backend as { disposeData(id: object): boolean }).disposeData(dataId);
      return made;
    },
  });
}
