# How every native target of Pollux is compiled; a binding.gyp includes it and adds its sources.
# On Linux the addon links against libc alone: src/runtime.cc stands in for the C++ runtime, which
# keeps one small binary good for every distribution. POLLUX_SANITIZE=address|thread in the
# environment makes an instrumented build instead, on the ordinary C++ runtime.
{
  'variables': {
    'pollux_sanitize%': '<!(node -p "process.env.POLLUX_SANITIZE || String()")',
  },
  'target_defaults': {
    'include_dirs': ['include'],
    'defines': [
      'NAPI_VERSION=8',
      'NAPI_DISABLE_CPP_EXCEPTIONS',
      'NODE_ADDON_API_DISABLE_DEPRECATED',
      'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
    ],
    'conditions': [
      ['OS!="win"', {
        'cflags!': ['-O3'],
        'cflags': [
          '-fvisibility=hidden', '-ffunction-sections', '-fdata-sections',
          # A system header for the compiler: its warnings are not ours to mend.
          '-isystem <!(node -p "require(\'node:path\').resolve(require(\'node-addon-api\').include_dir)")',
        ],
        'cflags_cc!': ['-std=gnu++17'],
        'cflags_cc': [
          '-std=c++20', '-fno-exceptions', '-fno-rtti', '-fvisibility-inlines-hidden',
          '-Wall', '-Wextra', '-Wshadow', '-Wvla',
          '-Werror=return-type', '-Werror=uninitialized', '-Werror=format', '-Werror=switch',
        ],
      }],
      ['OS=="linux"', {
        'cflags': ['-pthread'],
        'ldflags': [
          '-Wl,--version-script=<(module_root_dir)/../../addon/exports.map',
          '-Wl,--gc-sections', '-Wl,--exclude-libs,ALL', '-Wl,-z,relro', '-Wl,-z,now',
        ],
      }],
      ['OS=="linux" and pollux_sanitize==""', {
        'cflags': ['-O2', '-include', '<(module_root_dir)/../../addon/include/pollux/glibc_floor.h'],
        'defines': ['POLLUX_OWN_CXX_RUNTIME', '_GLIBCXX_EXTERN_TEMPLATE=0'],
        # -nostdlib++ says it better, but gcc knows it only from 13 on.
        'ldflags': ['-nodefaultlibs'],
        'libraries': ['-lgcc', '-lc', '-lgcc'],
      }],
      ['OS!="win" and pollux_sanitize!=""', {
        'cflags': ['-fsanitize=<(pollux_sanitize)', '-fno-omit-frame-pointer', '-g', '-O1'],
        'ldflags': ['-fsanitize=<(pollux_sanitize)'],
      }],
      ['OS=="mac"', {
        # Xcode's settings are all that counts there, not cflags.
        'include_dirs': [
          '<!(node -p "require(\'node:path\').resolve(require(\'node-addon-api\').include_dir)")',
        ],
        'xcode_settings': {
          'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
          'GCC_ENABLE_CPP_EXCEPTIONS': 'NO',
          'GCC_ENABLE_CPP_RTTI': 'NO',
          'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
          'GCC_INLINES_ARE_PRIVATE_EXTERN': 'YES',
          'GCC_OPTIMIZATION_LEVEL': '2',
          'MACOSX_DEPLOYMENT_TARGET': '11.0',
        },
      }],
      ['OS=="win"', {
        'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")'],
        'defines': ['_WIN32_WINNT=0x0A00', 'WIN32_LEAN_AND_MEAN', 'NOMINMAX'],
        'libraries': ['-lws2_32', '-liphlpapi', '-lntdll'],
        'msvs_settings': {
          'VCCLCompilerTool': {
            # /MT: no C++ runtime DLL is needed; common.gypi has no exceptions already.
            'RuntimeLibrary': '0',
            'RuntimeTypeInfo': 'false',
            'AdditionalOptions': ['/std:c++20'],
          },
        },
      }],
    ],
  },
}
