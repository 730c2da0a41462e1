import assert from "node:assert/strict";
import { test } from "node:test";

import { cropSentence, cropsFrom, facePhotosFrom } from "../../../web/js/lib/faces_data.js";

const PHOTO = { filename: "a.jpg", subfolder: "", type: "temp" };

test("a face has its place and size as shares of the photo", () => {
  const faces = [{ box: [0.25, 0.5, 0.75, 1], score: 0.9 }];
  const [photo] = facePhotosFrom({
    consistentid_faces: [{ index: 0, total: 3, width: 4, height: 2, photo: PHOTO, chosen: 0, faces }],
  });
  assert.deepEqual(photo.faces, [{ left: 0.25, top: 0.5, width: 0.5, height: 0.5, score: 0.9 }]);
  assert.deepEqual([photo.chosen, photo.total], [0, 3]);
});

test("a photo without a face has none chosen", () => {
  const [photo] = facePhotosFrom({ consistentid_faces: [{ photo: PHOTO, chosen: null, faces: [] }] });
  assert.deepEqual([photo.chosen, photo.faces], [null, []]);
});

for (const output of [undefined, null, {}, { consistentid_faces: {} }, { consistentid_faces: [null, { photo: PHOTO }] }]) {
  test(`nothing is shown, and nothing thrown, for ${JSON.stringify(output)}`, () => {
    assert.deepEqual(facePhotosFrom(output), []);
  });
}

test("each photo comes with what was cut out of it", () => {
  const output = {
    consistentid_faces: [{ index: 0, photo: PHOTO, faces: [] }, { index: 1, photo: PHOTO, faces: [] }],
    consistentid_face_crops: [{ box: [0.25, 0.5, 0.75, 1], share: 0.1 }, { box: null, share: null }],
  };
  const crops = [
    { place: { left: 0.25, top: 0.5, width: 0.5, height: 0.5 }, share: 0.1 },
    { place: null, share: null },
  ];
  assert.deepEqual(facePhotosFrom(output).map(({ crop }) => crop), crops);
  assert.deepEqual(cropsFrom(output), crops);
  assert.match(cropSentence(crops[0], "en"), /10%.*cut out/);
  assert.match(cropSentence(crops[1], "en"), /No face/);
});

test("a node that does not crop, or reports nonsense, has no crops", () => {
  for (const crops of [undefined, "no", {}]) assert.deepEqual(cropsFrom({ consistentid_face_crops: crops }), []);
  assert.deepEqual(cropsFrom({ consistentid_face_crops: [null, 3] }), [
    { place: null, share: null },
    { place: null, share: null },
  ]);
});
