# The net addon: batched socket calls. It is no backend; of the shared C++ it takes the headers
# and the stand-in for the C++ runtime only.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'net',
      'sources': ['<!@(node ../../addon/sources.mjs .)', '../../addon/src/runtime.cc'],
    },
  ],
}
