// @ts-check
/**
 * The widgets' own sentences, in English. Other languages come from `locales/<language>/main.json`, under
 * "consistentid" and the same keys. Names in braces are filled in.
 */

export const TEXTS = {
  partsBeforeRun: "Run the workflow to see the parts of the face here.",
  partsWithoutPhoto: "There is no photo to show: the face comes from a file.",
  partsAllOff: "All parts are switched off. Switch on at least one.",
  changed: "Changed since the last run.",
  filesGone: "The pictures of the last run are gone, as after a restart of ComfyUI. Run the workflow again.",
  firstOfMany: "The first {shown} of {total} photos are shown.",
  partOn: "{part}: {share} of the photo. Click to leave it out.",
  partOff: "{part}: left out. Click to use it.",
  partShown: "{part}: {share} of the photo.",
  partFrom: "{part}: from photo {number}. Click to see it there.",
  partFromShort: "photo {number}",
  partMissing: "{part}: not found in this photo. It may be turned away, covered or outside the picture.",
  partMissingShort: "not found",
  partTwinShort: "1 of 2",
  partTwin: "Of the two, one is used, as the weights were trained; the outlined one is not. Set pair to both to use both.",
  partsOfSeveral: "These parts are of {faces} faces, so they describe nobody. Put Crop Face before this node.",
  partsTiny: "CLIP sees next to nothing of: {parts}. Put Crop Face before this node.",
  partLinked: "{part}: switched by the node that is connected to this input.",
  brushOf: "Correct with a brush: {part}",
  brushCanvas: "Brush for: {part}. Drag to paint; arrow keys move it, space dabs, [ and ] change its size, Escape ends.",
  brushAdd: "Add to the part",
  brushErase: "Erase from the part",
  brushSize: "Size of the brush",
  brushUndo: "Take the last stroke back",
  brushReset: "Take all strokes on this part back",
  brushDone: "Done",
  brushAside: "The brush strokes are of another photo and are kept aside.",
  brushGone: "The brush strokes cannot be read: {file}. Paint again, or put the file back.",
  brushUnsaved: "The brush strokes are not saved: {reason}",
  parts: "Parts of the face",
  strength: "Strength of the colours",
  closeUp: "Show the face",
  wholePhoto: "Show the whole photo",
  photoOf: "Photo {number} of {total}",
  previousPhoto: "Previous photo",
  nextPhoto: "Next photo",
  promptBeforeRun: "Run the workflow to see the final prompt here, with the words that carry a part of the face.",
  promptCrops: "What CLIP sees of each part",
  wordCarries: "Carries this part of the face: {part}",
  cropOpen: "See it large: {part}",
  cropPrevious: "Previous part",
  cropNext: "Next part",
  compare: "The photo on the left, the last portrait on the right",
  close: "Close",
  people: "Saved people",
  peopleSearch: "Search names, files and captions",
  peopleFolders: "Folder",
  peopleAllFolders: "All folders",
  peopleFound: "{found} of {all}",
  peopleNone: "There are no saved people yet. Save ID Embedding makes the files.",
  peopleChoose: "Choose…",
  peopleFolder: "all {files} files of the folder",
  peopleWithParts: "of {photos} photo(s), with parts of the face",
  peopleWithoutParts: "of {photos} photo(s), without parts of the face",
  peoplePictureDamaged: "The picture in this file is damaged; the person can be used.",
  faces: "Faces found",
  facesBeforeRun: "Run the workflow to see the faces that were found.",
  facesNone: "No face was found in this photo.",
  faceChosen: "Face {number}, detection score {score}: the chosen one.",
  files: "Model files",
  filesThere: "All model files are there.",
  filesMissing: "Model files: {count} to see to",
  filesUnknown: "The server did not say which model files are there.",
  filesFetch: "All at once: run this in the pack's folder, then look again.",
  filesLook: "Look again",
  fileFound: "found",
  fileMissing: "missing",
  fileSeveral: "several fit",
  fileOther: "another file",
  fileGone: "{name} is not there any more.",
  fileIs: "It is {kind}.",
  filePlace: "to {folder}",
  fileLicence: "Licence: {licence}",
  fileConsistentidSd15: "ConsistentID for SD1.5",
  fileConsistentidSdxl: "ConsistentID for SDXL",
  fileFaceParser: "Face parser",
  fileFaceDetector: "Face detector",
  fileFaceRecogniser: "Face recogniser",
  fileClipVision: "CLIP vision ViT-H/14",
  filePackages: "Packages for face recognition",
  licenceNotStated: "not stated by its source",
  licenceResearch: "non-commercial research only",
  licenceCelebA: "trained on CelebAMask-HQ, for non-commercial research",
  faceOther: "Face {number}, detection score {score}. Click to choose it.",
<<<<<<< HEAD
  cropTaken: "The face takes {share} of the photo's shorter side: cut out around it.",
  cropWhole: "The face takes {share} of the photo's shorter side: the photo passes as it is.",
  presets: "Settings for",
  presetOriginal: "original",
  presetLikeness: "more likeness",
  presetPrompt: "prompt first",
  presetStyle: "style",
  presetFewSteps: "few steps (LCM/Turbo)",
  cropNobody: "No face was found: the photo passes as it is.",
=======
  likenessBeforeRun: "Run the workflow to see how like the person each picture is.",
  likenessNoFace: "No face was found in this picture: it counts as 0.",
  likenessScale: "Likeness by {name}: {score}",
  likenessBy: "{name}: {score}",
  likenessMean: "mean over the photos {mean}",
  likenessFlatters: "{name} conditions the pictures and flatters them. An independent recogniser judges more fairly.",
  likenessNoLevels: "Nothing is known about this recogniser: compare with photos of the person, and of others.",
  levelSame: "Same person, other photo: {typical} typical, {low} to {high}",
  levelOther: "Another person: {typical} typical, {low} to {high}",
  levelMeasured: "measured on {pairs} pairs of these photos",
  levelPublished: "published",
  partLikenessBeforeRun: "Run the workflow to see how alike the parts of the two faces are.",
  partLikenessMean: "Mean {mean} over {shown} of {all} parts, by {encoder}",
  partLikenessNone: "There is no part of a face that photo and picture both show.",
  partLikenessOf: "{part}: {score}",
  partOfPhoto: "{part} of the photo",
  partOfPicture: "{part} of the picture",
  partNotInBoth: "not in both",
>>>>>>> f16dd30 (Views of likeness: boxes and a scale, parts beside each other with bars; browser and DOM tests)
};

/** @type {Partial<typeof TEXTS>} */
let translations = {};

/** @param {any} texts some or all of the sentences in another language */
export function useTranslations(texts) {
  translations = typeof texts === "object" && texts !== null ? texts : {};
}

/**
 * @param {keyof typeof TEXTS} key
 * @param {Record<string, string | number>} [values]
 */
export function text(key, values = {}) {
  const sentence = translations[key] || TEXTS[key];
  return sentence.replace(/\{(\w+)\}/g, (placeholder, name) => String(values[name] ?? placeholder));
}
