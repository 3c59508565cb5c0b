// Runs after trimesh's viewer page and dresses it: colours as in the photo, soft light, a framed garment that turns
// by itself until somebody takes it. The names camera, controls, renderer, scene and tracklight are the page's own.
function dress() {
  const garment = scene.children.find((child) => child.isGroup);
  const night = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const box = new THREE.Box3().setFromObject(garment);
  const size = box.getSize(new THREE.Vector3());
  const middle = box.getCenter(new THREE.Vector3());
  let turning = !still;

  renderer.outputEncoding = THREE.sRGBEncoding;
  tracklight.intensity = 0.3;
  scene.add(new THREE.HemisphereLight(0xffffff, 0xd8d4cc, 0.78));
  garment.traverse((part) => {
    if (!part.isMesh) return;
    if (part.material.map) part.material.map.anisotropy = renderer.capabilities.getMaxAnisotropy();
    part.material.needsUpdate = true;
  });

  function paint() {
    const paper = night.matches ? "#1d1f23" : "#f1eee8";
    scene.background = new THREE.Color(paper);
    document.body.style.background = paper;
    render();
  }

  function frame() {
    const half = Math.tan((camera.fov * Math.PI) / 360);
    const width = Math.hypot(size.x, size.z);
    const distance = 1.12 * Math.max(size.y / 2 / half, width / 2 / (half * camera.aspect)) + size.z / 2;
    camera.up.set(0, 1, 0);
    camera.position.set(0, 0.12 * distance, distance);
    camera.near = distance / 100;
    camera.far = distance * 10;
    controls.target.set(0, 0, 0);
    controls.minDistance = distance / 5;
    controls.maxDistance = distance * 3;
    camera.updateProjectionMatrix();
    controls.update();
    render();
  }

  garment.children.forEach((child) => child.position.sub(middle));
  garment.rotation.y = -0.4;
  Object.assign(controls, { rotateSpeed: 2.4, staticMoving: false, dynamicDampingFactor: 0.14, noZoom: true });
  addEventListener("resize", frame);
  night.addEventListener("change", paint);
  // The wheel scrolls the page until the garment has been taken in hand.
  renderer.domElement.addEventListener("pointerdown", () => ((turning = false), (controls.noZoom = false)));
  renderer.domElement.addEventListener("pointerleave", () => (controls.noZoom = true));
  renderer.domElement.addEventListener("dblclick", () => ((garment.rotation.y = 0), frame()));
  frame();
  paint();
  document.documentElement.dataset.triangles = renderer.info.render.triangles;

  let before = performance.now();
  (function turn(now) {
    if (turning) {
      garment.rotation.y += Math.min(now - before, 50) * 0.0004 || 0;
      render();
    }
    before = now;
    requestAnimationFrame(turn);
  })(before);
}

// The page's last act after loading is to fit itself to the window: that is when there is something to dress, once.
if (controls) dress();
else {
  const fit = onWindowResize;
  let dressed = false;
  onWindowResize = () => {
    fit();
    if (!dressed) dress();
    dressed = true;
  };
}
