import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';

/**
 * The Foxglove message schemas a recording uses, so that it opens in Foxglove. Field names and
 * numbers: https://github.com/foxglove/foxglove-sdk/tree/main/schemas/proto/foxglove.
 */
const SCHEMA = `
syntax = "proto3";
package foxglove;
import "google/protobuf/timestamp.proto";
message CompressedImage {
  google.protobuf.Timestamp timestamp = 1;
  string frame_id = 4;
  bytes data = 2;
  string format = 3;
}
message CameraCalibration {
  google.protobuf.Timestamp timestamp = 1;
  string frame_id = 9;
  fixed32 width = 2;
  fixed32 height = 3;
  string distortion_model = 4;
  repeated double D = 5;
  repeated double K = 6;
  repeated double R = 7;
  repeated double P = 8;
}
message Vector3 { double x = 1; double y = 2; double z = 3; }
message Quaternion { double x = 1; double y = 2; double z = 3; double w = 4; }
message FrameTransform {
  google.protobuf.Timestamp timestamp = 1;
  string parent_frame_id = 2;
  string child_frame_id = 3;
  Vector3 translation = 4;
  Quaternion rotation = 5;
}`;

const TIMESTAMP_FILE = 'google/protobuf/timestamp.proto';

const root = protobuf.parse(SCHEMA, { keepCase: true }).root;
root.addJSON(protobuf.common.get(TIMESTAMP_FILE)!.nested!);
root.resolveAll();

export const CompressedImage = root.lookupType('foxglove.CompressedImage');
export const CameraCalibrationMessage = root.lookupType('foxglove.CameraCalibration');
export const FrameTransform = root.lookupType('foxglove.FrameTransform');

/** A binary FileDescriptorSet, dependencies first: what MCAP's `protobuf` schema encoding holds. */
export function descriptorSet(): Uint8Array {
  const set = (
    root as unknown as { toDescriptor(edition: string): { file: FileDescriptor[] } }
  ).toDescriptor('proto3');
  const files = set.file
    .map((file) =>
      file.package === 'google.protobuf'
        ? { ...file, name: TIMESTAMP_FILE }
        : { ...file, dependency: [TIMESTAMP_FILE] },
    )
    .sort((a, b) => Number(a.package === 'foxglove') - Number(b.package === 'foxglove'));
  const { FileDescriptorSet } = descriptor;
  return FileDescriptorSet.encode(FileDescriptorSet.fromObject({ file: files })).finish();
}

interface FileDescriptor {
  package?: string;
}

/** google.protobuf.Timestamp of a time in milliseconds. */
export function timestamp(ms: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6)) };
}
